"""Programs, rules and policies as files a clinician can read and sign."""
