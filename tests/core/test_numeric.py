"""The declared numeric environment, and the one restart that makes it true."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Literal

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
HEARD = """
import os, sys
from stages.core.numeric import HEARD, Compute, declare
declare(Compute(cpu=sys.argv[1], threads=3))
print(*sorted(name for name in os.environ if name.startswith(HEARD)))
"""
NUMBA = """
import numba, numpy
@numba.njit
def add(one, other):
    for n in range(one.size):
        one[n] += other[n]
add(numpy.ones(8), numpy.ones(8))
print("ymm" in "".join(add.inspect_asm().values()))
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
    monkeypatch.setattr(os, "environ", numeric.declared(os.environ, AVX2))
    numeric.declare(AVX2)


@pytest.mark.parametrize("cpu", ["avx2", "native"])
def test_what_else_the_libraries_would_hear_is_taken_away(cpu: Literal["avx2", "native"]):
    foreign = dict.fromkeys(("ATEN_CPU_CAPABILITY", "ONEDNN_DEFAULT_FPMATH_MODE", "NPY_ENABLE_CPU_FEATURES"), "x")
    outer = {"HOME": "/home", "OMP_THREAD_LIMIT": "1", "NUMBA_CACHE_DIR": "/c"} | foreign
    compute = Compute(cpu=cpu, threads=2)
    kept = {"HOME": "/home", "NUMBA_CACHE_DIR": "/c"}
    assert numeric.declared(outer, compute) == kept | numeric.environment(compute)


def ran(story: str, *arguments: str, **environment: str) -> str:
    """What a process of its own says, started in an environment that declares nothing and adds this."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(numeric.HEARD)}
    command, told = [sys.executable, "-c", story, *arguments], {"PYTHONPATH": os.getcwd()}
    return subprocess.run(
        command, capture_output=True, text=True, check=True, env=plain | told | environment, timeout=60
    ).stdout


@pytest.mark.parametrize("cpu", ["native", "avx2"])
def test_a_process_hears_only_what_is_declared(cpu: Literal["avx2", "native"]):
    if not numeric.supported(numeric.FLAG[cpu]):
        pytest.skip(f"this CPU has no {cpu}")
    told = ran(HEARD, cpu, OMP_THREAD_LIMIT="1", ATEN_CPU_CAPABILITY="default", OMP_NUM_THREADS="7")
    wanted = numeric.environment(Compute(cpu=cpu, threads=3))
    assert told.split() == sorted(name for name in wanted if name.startswith(numeric.HEARD))


@pytest.mark.parametrize("features", [{}, {"NUMBA_CPU_FEATURES": ""}], ids=["not set", "none"])
def test_without_features_numba_takes_the_named_cpu_at_its_word(features: dict[str, str]):
    """What CAPABILITY relies on, with a CPU that is older than every declared one."""
    if not numeric.supported("avx2"):
        pytest.skip("this CPU has no avx2")
    assert ran(NUMBA, NUMBA_CPU_NAME="nehalem", **features) == f"{not features}\n"


def test_the_process_starts_again_once():
    assert ran(STORY).split("\n") == ["start", "start", "3 FALSE", ""]
