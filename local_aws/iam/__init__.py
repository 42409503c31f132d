"""Who may do what: a call as the requests that IAM authorises, and policies that decide each of them.

`evaluate` and `conditions` are pure and know of policies only; `actions` and `things` say what a call is
authorised on, from the Service Authorization Reference
(https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html); `callers` finds whose
keys signed it; `gatekeeper` puts them together and refuses.
"""
