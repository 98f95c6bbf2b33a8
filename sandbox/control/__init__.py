"""The control plane under `/sandbox`: what tests, the demo and the benchmarks switch and read.

`client.SandboxControl` has a method for each of these. `{kind}` is `notes` or `calls`.

| route | does |
| --- | --- |
| POST /reset | begins again |
| GET /state | behaviour; of each account objects, requests, updates applied, edits lost |
| PATCH /behaviour | changes fields of `config.Behaviour` |
| GET /requests?after=&hub_id= | lists requests that HubSpot saw |
| POST, DELETE /accounts[/{hub}] | opens and closes an account |
| PUT /accounts/{hub}/dispositions | replaces the outcomes of calls |
| POST /accounts/{hub}/owners, DELETE …/{owner} | adds and archives an owner |
| POST, GET /accounts/{hub}/contacts | creates and lists contacts |
| POST /accounts/{hub}/contacts/merge, DELETE …/{contact} | merges and deletes contacts |
| GET /accounts/{hub}/{kind} | lists activities, archived ones included |
| PATCH, DELETE /accounts/{hub}/{kind}/{id} | edits (`{"properties": …}`) and deletes as a person |
| POST /accounts/{hub}/{kind}/{id}/restore | restores as a person |
| GET /accounts/{hub}/{kind}/{id}/versions | who changed what when, and what apps were shown last |
| GET /accounts/{hub}/lost-edits | people's edits that updates undid |
| POST /tokens/expire, /accounts/{hub}/grants/revoke, PUT …/scopes | ends and narrows grants |
| POST, GET, DELETE /faults, DELETE …/{id} | switches faults on and off |
| POST /faults/{id}/release | lets the requests go on that a `held` fault holds |
"""
