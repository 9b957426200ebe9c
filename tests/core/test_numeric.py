"""The declared numeric environment, and the one restart that makes it true."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stages.core import numeric
from stages.core.faults import Fault
from stages.core.numeric import Compute

AVX2 = Compute(cpu="avx2", threads=2)
STORY = """
import os
from stages.core.numeric import Compute, declare
print("start", flush=True)
declare(Compute(cpu="native", threads=3))
import numpy
print(os.environ["OMP_NUM_THREADS"], os.environ["MKL_DYNAMIC"])
"""


def test_the_variables_of_a_declaration():
    found = numeric.environment(AVX2)
    assert found["OMP_NUM_THREADS"] == found["OPENBLAS_NUM_THREADS"] == "2"
    assert found["ATEN_CPU_CAPABILITY"] == "avx2"
    assert found["NPY_DISABLE_CPU_FEATURES"] == "X86_V4 AVX512_ICL AVX512_SPR"
    assert "ATEN_CPU_CAPABILITY" not in numeric.environment(Compute(cpu="native", threads=2))


def test_every_capability_says_what_a_cpu_must_have():
    assert numeric.CAPABILITY.keys() == numeric.FLAG.keys()
    assert numeric.CAPABILITY["avx2"].keys() == numeric.CAPABILITY["avx512"].keys()


@pytest.mark.parametrize(
    ("flags", "flag", "there"),
    [
        ("flags\t\t: fpu avx avx2 bmi2\n", "avx2", True),
        ("flags\t\t: fpu avx2\nbugs: x\n", "avx2", True),
        ("flags\t\t: fpu avx\n", "avx2", False),
        ("flags\t\t: avx512fp16\n", "avx512f", False),
        ("flags\t\t: fpu\n", "", True),
    ],
)
def test_what_a_cpu_says_of_itself(tmp_path: Path, flags: str, flag: str, there: bool):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(flags)
    assert numeric.supported(flag, cpuinfo) is there
    assert numeric.supported(flag, tmp_path / "none")


def test_a_cpu_without_the_instructions_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("ATEN_CPU_CAPABILITY", raising=False)
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("flags : fpu sse2\n")
    with pytest.raises(Fault) as fault:
        numeric.declare(AVX2, cpuinfo)
    assert str(fault.value) == (
        "params.yaml: compute.cpu: avx2: this CPU does not have these instructions; "
        "set native (with native the same bytes come from CPUs of the same type only)"
    )


def test_where_the_environment_stands_nothing_happens(monkeypatch: pytest.MonkeyPatch):
    for name, value in numeric.environment(AVX2).items():
        monkeypatch.setenv(name, value)
    numeric.declare(AVX2)


def test_the_process_starts_again_once():
    plain = {name: value for name, value in os.environ.items() if name not in numeric.environment(AVX2)}
    done = subprocess.run(
        [sys.executable, "-c", STORY],
        capture_output=True,
        text=True,
        check=True,
        env=plain | {"PYTHONPATH": os.getcwd()},
    )
    assert done.stdout.split("\n") == ["start", "start", "3 FALSE", ""]
