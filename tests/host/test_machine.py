"""Facts about a machine, read from files as machines have them."""

from pathlib import Path

from sampan.host.machine import machine_facts


def test_facts_are_read(tmp_path: Path) -> None:
    files = {
        "proc/meminfo": "MemTotal:        1024 kB\nMemFree: 5 kB\n",
        "etc/os-release": 'NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
        "etc/machine-id": "abc\n",
        "proc/sys/kernel/random/boot_id": "def\n",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    facts = machine_facts(tmp_path)
    assert facts.memory == 1024 * 1024
    assert facts.operating_system == "Debian GNU/Linux 12 (bookworm)"
    assert (facts.machine_identifier, facts.boot_identifier) == ("abc", "def")
    assert facts.processors >= 1


def test_this_machine_has_facts() -> None:
    assert machine_facts().memory > 0
