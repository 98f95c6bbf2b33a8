// What a page that embeds the element does. A real one asks its own server for the token; this one
// takes it from its address (#token=…), as `callsync token` makes it.

import "./hubspot-call-sync.js";

const given = new URLSearchParams(location.hash.slice(1)).get("token");
history.replaceState(null, "", location.pathname + location.search);

document.querySelector("hubspot-call-sync").tokenProvider = async () => given;
