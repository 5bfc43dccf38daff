"""What `rocade doctor --mosquitto FILE` says of a broker's configuration."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.errors import SettingsError
from pipelines.mosquitto import examine_mosquitto
from pipelines.settings import load_settings

States = Callable[..., dict[str, str]]
SHIPPED = (Path(__file__).parents[2] / "docker" / "mosquitto.conf").read_text()


@pytest.fixture
def states(tmp_path: Path) -> States:
    """`states(text, **settings)`: each check's state by its name."""

    def examine(text: str, **settings: object) -> dict[str, str]:
        file = tmp_path / "mosquitto.conf"
        file.write_text(text)
        checks = examine_mosquitto(file, load_settings(home=tmp_path, **settings))
        assert len({check.name for check in checks}) == len(checks)
        return {check.name: check.state for check in checks}

    return examine


def test_the_shipped_configuration_is_fine(states: States) -> None:
    assert set(states(SHIPPED).values()) == {"ok"}


def test_a_file_that_sets_nothing_loses_messages(states: States) -> None:
    found = states("listener 1883\n")
    broken = {"acl_file", "listener 1883", "max_queued_messages", "max_inflight_messages", "persistence"}
    assert {name for name, state in found.items() if state == "broken"} == broken


@pytest.mark.parametrize(
    ("line", "other", "name"),
    [
        ("allow_anonymous false", "allow_anonymous true", "allow_anonymous"),
        ("acl_file /mosquitto/config/acl", "", "acl_file"),
        ("tls_version tlsv1.2\nrequire", "tls_version tlsv1.1\nrequire", "listener 8883"),
        ("use_identity_as_username true", "", "listener 8883"),
        ("#listener 1883 127.0.0.1", "listener 1883", "listener 1883"),
        ("require_certificate true", "max_qos 0", "listener 8883"),
        ("max_queued_messages 100000000", "", "max_queued_messages"),
        ("max_queued_messages 100000000", "max_queued_messages 50000", "max_queued_messages"),
        ("max_queued_messages 100000000", "max_queued_messages 0", "max_queued_messages"),
        ("max_queued_bytes 2000000000", "memory_limit 500000000", "memory_limit"),
        ("max_inflight_messages 20000", "", "max_inflight_messages"),
        ("max_inflight_messages 20000", "max_inflight_messages 0", "max_inflight_messages"),
        ("max_inflight_messages 20000", "max_inflight_messages 20000\nmax_inflight_bytes 9", "max_inflight_bytes"),
        ("persistence true", "persistence false", "persistence"),
        ("autosave_interval 30", "", "autosave_interval"),
        ("autosave_interval 30", "autosave_interval 0", "autosave_interval"),
        ("autosave_interval 30", "autosave_on_changes true", "autosave_on_changes"),
        ("#global_plugin", "global_plugin", "persistence"),
        ("persistent_client_expiration 7d", "persistent_client_expiration 12h", "persistent_client_expiration"),
        ("max_packet_size 16777216", "max_packet_size 100000", "max_packet_size"),
        ("max_packet_size 16777216", "message_size_limit 100000", "message_size_limit"),
        ("log_dest stderr", "retain_available false", "retain_available"),
    ],
)
def test_one_line_that_would_lose_or_let_in(states: States, line: str, other: str, name: str) -> None:
    assert line in SHIPPED
    found = states(SHIPPED.replace(line, other))
    assert found.pop(name) == "broken"
    assert set(found.values()) <= {"ok", "absent"}


def test_the_broker_has_to_fit_the_collector_s_settings(states: States) -> None:
    found = states(SHIPPED, batch_messages=15_000, receive_maximum=30_000, session_expiry_s=8 * 86_400)
    broken = {"max_inflight_messages", "persistent_client_expiration"}
    assert {name for name, state in found.items() if state == "broken"} == broken


def test_plain_mqtt_on_this_machine_alone_and_a_persistence_plugin_are_fine(states: States) -> None:
    text = SHIPPED.replace("#listener 1883 127.0.0.1", "listener 1883 127.0.0.1").replace("persistence true", "")
    assert set(states(text.replace("#global_plugin", "global_plugin")).values()) == {"ok"}


def test_included_files_count_and_the_last_word_too(states: States, tmp_path: Path) -> None:
    more = tmp_path / "conf.d"
    more.mkdir()
    (more / "a.conf").write_text(SHIPPED)
    (more / "readme.txt").write_text("allow_anonymous true\n")
    assert set(states(f"persistence false\ninclude_dir {more}\n").values()) == {"ok"}
    (more / "b.conf").write_text("allow_anonymous true\n")
    assert states(f"include_dir {more}\n")["allow_anonymous"] == "broken"


@pytest.mark.parametrize("line", ["max_queued_messages many", "persistent_client_expiration soon"])
def test_what_is_no_number_is_said_with_its_place(states: States, tmp_path: Path, line: str) -> None:
    with pytest.raises(SettingsError, match=line) as caught:
        states(line)
    assert str(tmp_path / "mosquitto.conf") in str(caught.value)


def test_the_command_fails_when_messages_would_be_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "mosquitto.conf"
    for text, code in ((SHIPPED, 0), ("persistence true\n", 1)):
        file.write_text(text)
        result = CliRunner().invoke(app, ["doctor", "--mosquitto", str(file)])
        assert result.exit_code == code
        assert "max_queued_messages" in result.output
        assert "ROCADE_HOME" not in result.output
