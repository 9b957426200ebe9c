"""The declared numeric environment: which instructions and how many threads compute floating-point results.

Other instructions or another number of threads sum in another order and give other last bits. These variables are
read when torch, numpy and their BLAS are loaded, so they must be set before: `declare` starts the process again once.
Whatever else the user's shell says to these libraries is taken away, or it would change bytes that nobody declared.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from stages.core.faults import Fault
from stages.core.params import Positive, Section

# numpy 2.4 names its groups of instructions X86_V3 (AVX2), X86_V4 (AVX-512) and two AVX-512 extensions.
ABOVE_AVX2 = "X86_V4 AVX512_ICL AVX512_SPR"
CAPABILITY = {
    "avx2": {
        "ATEN_CPU_CAPABILITY": "avx2",
        "MKL_CBWR": "AVX2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "OPENBLAS_CORETYPE": "Haswell",
        "NPY_DISABLE_CPU_FEATURES": ABOVE_AVX2,
        "NUMBA_CPU_NAME": "haswell",
        "NUMBA_CPU_FEATURES": "",  # those of the named CPU alone; where it is not set, those of this CPU are added
    },
    "avx512": {
        "ATEN_CPU_CAPABILITY": "avx512",
        "MKL_CBWR": "AVX512",
        "ONEDNN_MAX_CPU_ISA": "AVX512_CORE",
        "OPENBLAS_CORETYPE": "SkylakeX",
        "NPY_DISABLE_CPU_FEATURES": "AVX512_ICL AVX512_SPR",
        "NUMBA_CPU_NAME": "skylake-avx512",
        "NUMBA_CPU_FEATURES": "",
    },
    "native": {},
}
FLAG = {"avx2": "avx2", "avx512": "avx512f", "native": ""}
CPUINFO = Path("/proc/cpuinfo")
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")

# Threads that wait shall sleep: spinning changes no bit and wastes the cores that others share.
WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0", "MKL_DYNAMIC": "FALSE"}

# What the numeric libraries hear by: under these names only what is declared may stand.
HEARD = ("ATEN_", "MKL_", "ONEDNN_", "DNNL_", "OPENBLAS_", "OMP_", "KMP_", "NPY_", "NUMBA_CPU_")


class Compute(Section):
    """The section `compute`: what changes the bits of floating-point results."""

    cpu: Literal["avx2", "avx512", "native"]
    threads: Positive


def environment(compute: Compute) -> dict[str, str]:
    """The variables that make `compute` true, by name."""
    return {name: str(compute.threads) for name in THREADS} | WAITING | CAPABILITY[compute.cpu]


def declared(outer: Mapping[str, str], compute: Compute) -> dict[str, str]:
    """`outer` with the variables that make `compute` true, and without any other that these libraries hear."""
    return {name: value for name, value in outer.items() if not name.startswith(HEARD)} | environment(compute)


def supported(flag: str, cpuinfo: Path = CPUINFO) -> bool:
    """Whether this CPU says it has the instructions; where nothing says so (not Linux), they are taken to be there."""
    return not flag or not cpuinfo.exists() or flag in cpuinfo.read_text().split()


def declare(compute: Compute, cpuinfo: Path = CPUINFO) -> None:
    """Go on under the declared environment: at once where it stands already, else by starting this process again."""
    wanted = declared(os.environ, compute)
    if wanted == os.environ:
        return
    if not supported(FLAG[compute.cpu], cpuinfo):
        other = "avx2, or native" if compute.cpu == "avx512" else "native"
        raise Fault(
            f"params.yaml: compute.cpu: {compute.cpu}: this CPU does not have these instructions; "
            f"set {other} (with native the same bytes come from CPUs of the same type only)"
        )
    sys.stdout.flush()
    os.execve(sys.executable, sys.orig_argv, wanted)
