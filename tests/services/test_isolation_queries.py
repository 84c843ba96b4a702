"""Every named statement, run by another practice with our keys: it finds nothing of ours and changes nothing (F40, P6).

Method: two practices with one row of everything, whose keys all bear their practice's number. The values of a statement's
parameters are made by their types. Twice: as a page runs it, where the database keeps practices apart; and as a worker could,
where only the statement's own `practice_id` does. What has none stands in WITHOUT with the reason.
"""

#: Statements without a practice of their own. By key: whoever calls it found the key by its practice, in the same transaction.
BY_KEY = "its keys were found by practice"
INGEST = "a worker takes in what gateways of any practice send"
JOB = "a worker's job goes over all practices"
GUARD = "the broker's guard, and who signs, look after all gateways"
BEFORE = "who asks is not known yet: it finds out whose it is"
OPERATOR = "a command of whoever runs the installation"
SERVER = "asks the server, no row"
