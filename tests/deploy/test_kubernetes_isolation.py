"""The chart's pods may do what they need, and nothing else."""

from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from tests.deploy.rendering import VARIANTS, Manifest, Manifests, render_variant

WEB = 443


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_pod_keeps_to_the_restricted_profile(variant: str) -> None:
    """The Pod Security Standards' profile `restricted`, and a file system that is not written."""
    manifests = render_variant(variant)
    for pod in manifests.pods().values():
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & spec.keys()
        assert {kind for volume in spec["volumes"] for kind in volume} <= {
            *("name", "secret", "emptyDir", "configMap")
        }
    for container in manifests.all_containers():
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_pod_has_its_share_of_a_node(variant: str) -> None:
    for container in render_variant(variant).all_containers():
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
        assert "memory" in container["resources"]["limits"]


def test_everything_that_is_written_has_its_place() -> None:
    for container in render_variant("least").all_containers():
        writable = [
            mount["mountPath"]
            for mount in container["volumeMounts"]
            if not mount.get("readOnly", False)
        ]
        assert writable == ["/tmp"], container["name"]  # noqa: S108
    assert "/tmp/beat" in render_variant("least").containers()["beat"]["command"]  # noqa: S108


def test_each_pod_reaches_only_what_it_needs() -> None:
    manifests = render_variant("least")

    assert {component: ports_out(manifests, component) for component in manifests.pods()} == {
        "api": {53, 5432, 6379, 443},
        "worker": {53, 5432, 6379, 443},
        "beat": {53, 6379},
        "flower": {53, 6379},
        "migrate": {53, 5432},
    }


def test_each_pod_is_reached_only_by_those_who_ask_it() -> None:
    manifests = render_variant("least")
    asked = {
        component: {
            (port["port"], peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"])
            for rule in rules(manifests, component, "ingress")
            for port in rule["ports"]
            for peer in rule["from"]
        }
        for component in manifests.pods()
    }

    assert asked == {
        "api": {("proxy", "ingress-nginx"), ("http", "monitoring")},
        "worker": {("metrics", "monitoring")},
        "beat": set(),
        "flower": set(),
        "migrate": set(),
    }


def test_every_pod_is_closed_in_both_directions() -> None:
    manifests = render_variant("least")
    for pod in manifests.pods().values():
        closed = {
            direction
            for policy in manifests.of_kind("NetworkPolicy")
            if selects(policy, pod)
            for direction in policy["spec"]["policyTypes"]
        }
        assert closed == {"Ingress", "Egress"}


@pytest.mark.parametrize(
    "address", ["10.0.0.1", "172.20.1.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "fd00::1"]
)
def test_https_leads_to_no_private_address(address: str) -> None:
    assert not is_reached(address)


@pytest.mark.parametrize("address", ["104.16.1.1", "2606:4700::1"])
def test_https_leads_to_public_addresses(address: str) -> None:
    assert is_reached(address)


def is_reached(address: str) -> bool:
    """Whether a worker may ask an address by HTTPS."""
    blocks = [
        peer["ipBlock"]
        for rule in rules(render_variant("least"), "worker", "egress")
        if WEB in {port["port"] for port in rule["ports"]}
        for peer in rule["to"]
    ]
    asked = ip_address(address)
    return any(
        asked in ip_network(block["cidr"])
        and not any(asked in ip_network(each) for each in block.get("except", []))
        for block in blocks
    )


def ports_out(manifests: Manifests, component: str) -> set[int]:
    return {
        port["port"] for rule in rules(manifests, component, "egress") for port in rule["ports"]
    }


def rules(manifests: Manifests, component: str, direction: str) -> Iterator[dict[str, Any]]:
    """The rules of all policies that select a component's pods."""
    pod = manifests.pods()[component]
    for policy in manifests.of_kind("NetworkPolicy"):
        if selects(policy, pod):
            yield from policy["spec"].get(direction, [])


def selects(policy: Manifest, pod: Manifest) -> bool:
    labels, selector = pod["metadata"]["labels"], policy["spec"]["podSelector"]
    return selector["matchLabels"].items() <= labels.items() and all(
        labels[each["key"]] in each["values"] for each in selector.get("matchExpressions", [])
    )
