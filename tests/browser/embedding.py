"""Pages of another site that embed the web component."""

from typing import Final

from playwright.sync_api import Page, expect

from tests.browser.workspaces import Workspace

PATH: Final = "/dashboard"
PAGE: Final = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>A platform's dashboard</title></head>
<body>
<h1>Integrations</h1>
<hubspot-call-sync {attributes}></hubspot-call-sync>
<script type="module">
  const element = document.querySelector("hubspot-call-sync");
  window.told = [];
  for (const name of ["connected", "disconnected", "error"]) {{
    document.addEventListener(`hubspot-call-sync:${{name}}`, () => told.push(name));
  }}
  element.tokenProvider = async (state) => window.provideToken(state);
  await import("{api_url}/embed/hubspot-call-sync.js");
</script>
</body>
</html>"""


def embed(
    page: Page, workspace: Workspace, *, attributes: str = "", api_url: str | None = None
) -> None:
    """Open a page of the platform's site with the component, for a workspace."""
    deployments = workspace.deployments
    html = PAGE.format(api_url=api_url or deployments.platform_url, attributes=attributes)
    deployments.site.pages[PATH] = html
    page.add_init_script(f"window.provideToken = () => '{workspace.token()}'")
    page.goto(deployments.site.url + PATH)
    expect(page.get_by_text("Up to date")).to_be_visible()
