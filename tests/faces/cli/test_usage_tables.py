"""What `stats` and `system df` make of the engine's numbers: docker's reckoning."""

from typing import Any

from sampan.faces.cli.engine.disk_usage_command import usages
from sampan.faces.cli.engine.statistics_command import statistics_row
from sampan.faces.cli.templates.filling import Template


def _filled(template: str, row: Any) -> str:
    return Template(template).filled(row)


def test_a_sample() -> None:
    sample = {
        "id": "ab" * 32,
        "name": "/web",
        "cpu_stats": {
            "cpu_usage": {"total_usage": 3_000_000_000},
            "system_cpu_usage": 20_000_000_000,
            "online_cpus": 2,
        },
        "precpu_stats": {
            "cpu_usage": {"total_usage": 2_000_000_000},
            "system_cpu_usage": 16_000_000_000,
        },
        "memory_stats": {
            "usage": 60 << 20,
            "limit": 200 << 20,
            "stats": {"inactive_file": 10 << 20},
        },
        "networks": {
            "eth0": {"rx_bytes": 1000, "tx_bytes": 500},
            "eth1": {"rx_bytes": 24, "tx_bytes": 0},
        },
        "blkio_stats": {
            "io_service_bytes_recursive": [
                {"op": "Read", "value": 4096},
                {"op": "Write", "value": 8192},
                {"op": "Read", "value": 4096},
            ]
        },
        "pids_stats": {"current": 7},
    }
    row = statistics_row("web", sample, whole=False)
    shown = "{{.ID}} {{.Name}} {{.CPUPerc}} {{.MemUsage}} {{.MemPerc}} {{.NetIO}} {{.BlockIO}}"
    assert _filled(shown, row) == (
        "abababababab web 50.00% 50MiB / 200MiB 25.00% 1.02kB / 500B 8.19kB / 8.19kB"
    )
    assert _filled("{{.PIDs}}", row) == "7"


def test_a_container_that_does_not_run_uses_nothing() -> None:
    sample = {
        "id": "ab" * 32,
        "name": "/web",
        "cpu_stats": {"cpu_usage": {"total_usage": 0}},
        "precpu_stats": {"cpu_usage": {"total_usage": 0}},
        "memory_stats": {},
        "networks": None,
        "blkio_stats": {"io_service_bytes_recursive": None},
        "pids_stats": {},
    }
    row = statistics_row("web", sample, whole=False)
    assert _filled("{{.CPUPerc}} {{.MemUsage}} {{.MemPerc}} {{.NetIO}}", row) == (
        "0.00% 0B / 0B 0.00% 0B / 0B"
    )


def test_what_could_be_let_go_of_is_what_nothing_uses() -> None:
    found = {
        "LayersSize": 1000,
        "Images": [
            {"Size": 700, "SharedSize": 100, "Containers": 1},
            {"Size": 400, "SharedSize": 100, "Containers": 0},
        ],
        "Containers": [{"State": "running", "SizeRw": 30}, {"State": "exited", "SizeRw": 10}],
        "Volumes": [
            {"UsageData": {"RefCount": 1, "Size": 60}},
            {"UsageData": {"RefCount": 0, "Size": 40}},
        ],
        "BuildCache": [
            {"InUse": False, "Shared": True, "Size": 500},
            {"InUse": False, "Shared": False, "Size": 20},
        ],
    }
    line = "{{.Type}} {{.TotalCount}} {{.Active}} {{.Size}} {{.Reclaimable}}"
    assert [_filled(line, usage.row()) for usage in usages(found)] == [
        "Images 2 1 1kB 400B (40%)",
        "Containers 2 1 40B 10B (25%)",
        "Local Volumes 2 1 100B 40B (40%)",
        "Build Cache 2 0 20B 20B",
    ]
