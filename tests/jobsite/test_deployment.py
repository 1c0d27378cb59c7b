"""Dockerfile, compose file, continuous integration: what can be held without a container engine."""

import re
import stat
from pathlib import Path
from typing import Any

import yaml

from jobsite.settings import env

ROOT = Path(__file__).resolve().parents[2]
APPLICATION = ("migrate", "web", "beat", "worker-services", "worker-inference")


def compose(name: str = "docker-compose.yml") -> dict[str, Any]:
    loaded = yaml.safe_load((ROOT / name).read_text())
    assert isinstance(loaded, dict)
    return loaded


def test_every_part_of_the_system_is_there_and_there_are_two_beats() -> None:
    services = compose()["services"]
    assert (set(services), services["beat"]["deploy"]) == ({*APPLICATION, "postgres", "redis"}, {"replicas": 2})


def test_everything_that_stays_up_has_a_health_check() -> None:
    without = [name for name, service in compose()["services"].items() if "healthcheck" not in service]
    assert without == ["migrate"]


def test_no_secret_has_a_value_in_the_file() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    names = ("SECRET_KEY", "ENCRYPTION_KEYS", "POSTGRES_PASSWORD", "REDIS_PASSWORD")
    used = {name: set(re.findall(rf"\$\{{{name}[^}}]*\}}", text)) for name in names}
    assert used == {name: {f"${{{name}:?}}"} for name in names}


def whole(service: dict[str, Any]) -> dict[str, Any]:
    """A service with what it extends."""
    extended = service.get("extends")
    return {**whole(compose(extended["file"])["services"][extended["service"]]), **service} if extended else service


def test_every_container_runs_as_an_ordinary_user_on_a_read_only_root_without_rights_it_does_not_need() -> None:
    demo = {
        name: service
        for name, service in compose("docker-compose.demo.yml")["services"].items()
        if name not in compose()["services"]
    }
    found = {
        name: (
            service.get("user"),
            service.get("read_only"),
            service.get("cap_drop"),
            service.get("security_opt"),
            service.get("privileged", False),
            service.get("cap_add", []),
            bool(service.get("tmpfs")),
        )
        for name, service in ((name, whole(service)) for name, service in {**compose()["services"], **demo}.items())
    }
    locked: tuple[Any, ...] = (True, ["ALL"], ["no-new-privileges:true"], False, [], True)
    users = dict.fromkeys((*APPLICATION, *demo), "10001") | {"postgres": "postgres", "redis": "redis"}
    assert found == {name: (user, *locked) for name, user in users.items()}


def test_what_is_laid_over_the_deployed_shape_takes_no_lock_off() -> None:
    files = ("docker-compose.demo.yml", "docker-compose.secrets.yml")
    over = [service for file in files for service in compose(file)["services"].values()]
    locks = {"user", "read_only", "cap_drop", "cap_add", "security_opt", "privileged", "tmpfs"}
    assert {name for service in over for name in service} & locks == set()


def test_only_the_web_server_is_reached_from_outside() -> None:
    assert [name for name, service in compose()["services"].items() if "ports" in service] == ["web"]


def test_the_web_server_is_published_to_this_machine_and_asks_how_many_proxies_to_believe() -> None:
    # Else a client without a proxy in between chooses the address that limits and the audit know it by.
    web = compose()["services"]["web"]
    assert (web["ports"], web["environment"]["TRUSTED_PROXIES"]) == (
        ["${PUBLISH:-127.0.0.1}:${PORT:-8000}:8000"],
        "${TRUSTED_PROXIES:?}",
    )


def test_with_secrets_from_files_none_is_in_the_environment_of_a_container() -> None:
    over, base = compose("docker-compose.secrets.yml"), compose()["services"]
    assert (set(over["services"]), (ROOT / ".gitignore").read_text().splitlines().count("/secrets/")) == (set(base), 1)
    secret, told, files = re.compile(r"\$\{(SECRET_KEY|ENCRYPTION_KEYS|\w+_PASSWORD)"), {}, {}
    for name, service in over["services"].items():
        merged = {**base[name]["environment"], **service["environment"]}
        told[name] = [key for key, value in merged.items() if secret.search(str(value))]
        named = {value.removeprefix("/run/secrets/") for key, value in merged.items() if key.endswith("_FILE")}
        files[name] = named == set(service["secrets"]) or (name == "redis" and service["secrets"] == ["redis_password"])
        assert (
            name not in APPLICATION
            or set(service["environment"]) - {"POSTGRES_PASSWORD", "REDIS_PASSWORD"} <= env.known
        )
    assert (told, files) == ({name: [] for name in base}, dict.fromkeys(base, True))
    assert {name: entry["file"] for name, entry in over["secrets"].items()} == {
        name: f"./secrets/{name}" for name in ("secret_key", "encryption_keys", "postgres_password", "redis_password")
    }


def test_the_application_starts_after_migrations_only() -> None:
    services = compose()["services"]
    waits = {name: services[name]["depends_on"].get("migrate") for name in APPLICATION if name != "migrate"}
    assert waits == dict.fromkeys(waits, {"condition": "service_completed_successfully"})


def test_what_the_example_asks_for_is_what_the_file_demands() -> None:
    demanded = set(re.findall(r"\$\{(\w+):\?", (ROOT / "docker-compose.yml").read_text()))
    example = dict(
        line.split("=", 1) for line in (ROOT / ".env.example").read_text().splitlines() if not line.startswith("#")
    )
    assert example == dict.fromkeys(demanded, "")


def test_private_addresses_are_called_in_the_demo_alone() -> None:
    assert compose()["services"]["web"]["environment"]["VOLTMX_ALLOW_ADDRESSES"] == "${VOLTMX_ALLOW_ADDRESSES:-}"
    services = compose("docker-compose.demo.yml")["services"]
    allowed = {name: service.get("environment", {}).get("VOLTMX_ALLOW_ADDRESSES") for name, service in services.items()}
    assert allowed == {"migrate": None, "web": "private", "worker-services": "private", "foundry": None}


def test_the_demo_adds_a_foundry_to_the_deployed_shape_and_publishes_nothing() -> None:
    services, deployed = compose("docker-compose.demo.yml")["services"], compose()["services"]
    foundry = services["foundry"]
    assert (set(services) - set(deployed), foundry["extends"]["service"] in deployed) == ({"foundry"}, True)
    assert "ports" not in {**deployed[foundry["extends"]["service"]], **foundry}
    assert {name for service in services.values() for name in service.get("environment", {})} - env.known == set()
    assert (
        services["web"]["environment"]["VOLTMX_SERVER_URL"] == f"http://{foundry['environment']['ALLOWED_HOSTS']}:8000"
    )


def test_the_settings_read_what_the_file_sets() -> None:
    assert set(compose()["services"]["web"]["environment"]) - env.known == set()


def test_the_image_runs_as_an_ordinary_user_and_carries_no_secret() -> None:
    text = (ROOT / "Dockerfile").read_text()
    final = text[text.rindex("\nFROM ") :]
    users = re.findall(r"^USER (\S+)", final, re.MULTILINE)
    assert (users, re.findall(r"SECRET|PASSWORD|KEYS", final)) == (["10001"], [])


def test_the_image_is_given_only_what_runs() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    copied = re.findall(r"^COPY (?!--from)([\w.]+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert (lines[0], sorted(line[1:] for line in lines if line.startswith("!"))) == ("*", sorted(copied))


def test_continuous_integration_runs_the_tests_and_then_the_checks() -> None:
    script = ROOT / ".ci" / "run"
    commands = [line for line in script.read_text().splitlines() if line.startswith("make ")]
    assert (commands, bool(script.stat().st_mode & stat.S_IXUSR)) == (["make test", "make check"], True)
