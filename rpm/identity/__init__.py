"""Who a gateway or a service is: authorities, certificates, revocation lists, claims and renewals."""
