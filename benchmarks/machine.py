"""What the machine is, and which day: no figure without them."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil


def machine() -> dict[str, Any]:
    """Say what the machine is, and which day."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cpu": (models or ["unknown"])[0],
        "cpus": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
    }


def in_words() -> str:
    """Say the same in a line."""
    facts = machine()
    return f"{facts['date']}, {facts['cpus']} CPUs ({facts['cpu']}), {facts['memory_gb']} GB"
