"""The contacts of the account that a sandbox may be given for people to look around in."""

# Numbers set aside for fiction, in the spellings that people use.
SAMPLE_CONTACTS = (
    {"firstname": "Ada", "lastname": "Lovelace", "phone": "(202) 555-0123"},
    {"firstname": "Grace", "lastname": "Hopper", "phone": "+1 202-555-0144"},
    {"firstname": "Alan", "lastname": "Turing", "mobilephone": "+44 (0)20 7946 0018"},
)
