"""Build the engine that a GPU runs from an ONNX file, with TensorRT or TensorRT-RTX.

    build_engine(Path("student.onnx"), Path("student.engine"))

An engine belongs to the GPU and the TensorRT it was built with: build it on the board it is for. The precision is what
the ONNX file says (networks are strongly typed), so that one path serves TensorRT 10.3 to 11. Beside ``X.engine`` lie
``X.engine.json`` (:mod:`perception.engine_file`), ``X.engine.layers.json``, which kernels were chosen for what, and
``X.engine.timing``, measured times that make the next build on this machine quicker.

Neither torch nor onnx is needed.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from time import monotonic
from types import ModuleType
from typing import Any

from export.build_progress import watched_build
from perception.engine_file import EngineRecord, Library, Source, Tensor, read_record, write_engine
from perception.errors import InputError
from perception.files import alone, atomic, sha256, write_text
from perception.gpu import find_gpu
from perception.onnx_metadata import read_deployed
from perception.onnx_weights import check_self_contained
from perception.spec import Deployed
from perception.tensorrt_library import Journal, load

MIB = 1 << 20


@dataclass(frozen=True)
class Options:
    """What to build.

    Attributes:
        library: that builds the engine and will run it.
        compute_capability: of the GPU it is for, such as ``8.6``; tensorrt-rtx only, which needs no GPU to build. None
            is the GPU here with tensorrt, and every GPU that it knows with tensorrt-rtx.
        workspace_mib: most GPU memory that a layer may ask for beside its tensors; None for all there is.
    """

    library: Library = "tensorrt"
    compute_capability: str | None = None
    workspace_mib: int | None = None


def build_engine(
    onnx: Path,
    out: Path,
    options: Options = Options(),  # frozen
    force: bool = False,
    tell: Callable[[str], None] = lambda line: None,
) -> EngineRecord:
    """Build ``out`` from ``onnx``, unless it is there already, made of the same with the same.

    Where another process builds ``out``, this one waits for it, and may find that nothing is left to be done.

    Args:
        onnx: file that :mod:`export.onnx_writer` wrote.
        out: engine to write.
        options: see :class:`Options`.
        force: build it in any case.
        tell: hears what else is worth knowing, one line at a time.

    Returns:
        What is written beside the engine.

    Raises:
        InputError: ``onnx`` cannot be used, the library is missing, finds no GPU or too little memory, or refuses the
            network or the compute capability.
    """
    deployed = read_deployed(onnx)
    check_self_contained(onnx)
    if options.compute_capability and options.library == "tensorrt":
        raise InputError("--compute-capability: TensorRT builds for the GPU it runs on; --target tensorrt-rtx takes it")
    trt = load(options.library, onnx)
    with alone(out, lambda: tell(f"{out}: waiting for another process that builds it")):
        source = _source(onnx, options, trt)
        if not force and (current := _built_before(out, source)):
            tell(f"{out}: is up to date; --force builds it again")
            return current
        return _build(trt, onnx, out, options, source, deployed, tell)


def _build(
    trt: ModuleType,
    onnx: Path,
    out: Path,
    options: Options,
    source: Source,
    deployed: Deployed,
    tell: Callable[[str], None],
) -> EngineRecord:
    start = monotonic()
    journal = Journal(trt)
    builder = journal.start(trt.Builder, onnx)
    # The parser owns the weights until the engine is built.
    network, _parser = _parse(trt, builder, journal, onnx)
    config = _configure(trt, builder, options)
    timing = Path(f"{out}.timing") if options.library == "tensorrt" else None
    if timing:
        _load_timing(config, timing)
    engine = watched_build(trt, builder, network, config, f"build {out.name}")
    if engine is None:
        raise InputError(f"{onnx}: {options.library} cannot build it: {journal.cause()}")
    record = EngineRecord(
        source,
        deployed,
        _tensors(trt, network),
        hashlib.sha256(engine).hexdigest(),
        round(monotonic() - start, 2),
        datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )
    layers = Path(f"{out}.layers.json")
    # Those of the engine that is replaced must not outlive it, should this process be killed.
    layers.unlink(missing_ok=True)
    write_engine(out, engine, record)
    if timing:
        _save_timing(config, timing)
    _write_layers(trt, engine, layers, tell)
    return record


def _source(onnx: Path, options: Options, trt: ModuleType) -> Source:
    gpu = find_gpu() if options.library == "tensorrt" else None
    return Source(
        onnx=onnx.name,
        onnx_sha256=sha256(onnx),
        library=options.library,
        version=trt.__version__,
        gpu=gpu.name if gpu else None,
        compute_capability=gpu.compute_capability if gpu else options.compute_capability,
        workspace_mib=options.workspace_mib,
        multiprocessors=gpu.multiprocessors if gpu else None,
    )


def _built_before(out: Path, source: Source) -> EngineRecord | None:
    """The record of ``out`` if it is whole and of the same source."""
    if not out.is_file():
        return None
    try:
        record = read_record(out)
    except InputError:
        return None
    return record if record.source == source and record.engine_sha256 == sha256(out) else None


def _parse(trt: ModuleType, builder: Any, journal: Journal, onnx: Path) -> tuple[Any, Any]:
    """The network of ``onnx``, computing in the types that the file names, and the parser that read it."""
    # The flag is bit 1 in TensorRT 10 and bit 0 in 11: only its name is the same.
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, journal.logger)
    if not parser.parse(onnx.read_bytes()):
        faults = [parser.get_error(index) for index in range(parser.num_errors)]
        lines = "; ".join(f"{error.node_operator()} {error.node_name()}: {error.desc()}" for error in faults)
        raise InputError(
            f"{onnx}: refused by the parser of {trt.__name__} {trt.__version__}: {lines or journal.cause()}"
        )
    return network, parser


def _configure(trt: ModuleType, builder: Any, options: Options) -> Any:
    config = builder.create_builder_config()
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    if options.workspace_mib:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_mib * MIB)
    if options.compute_capability:
        known = {name: kind for name, kind in trt.ComputeCapability.__members__.items() if name.startswith("SM")}
        wanted = known.get(f"SM{options.compute_capability.replace('.', '')}")
        config.num_compute_capabilities = 1
        # It answers False for what is not supported, without an exception.
        if wanted is None or not config.set_compute_capability(wanted, 0):
            has = ", ".join(f"{name[2:-1]}.{name[-1]}" for name in known)
            raise InputError(
                f"--compute-capability {options.compute_capability}: TensorRT-RTX {trt.__version__} knows {has}; "
                "for a Jetson, build on the board with --target tensorrt"
            )
    return config


def _load_timing(config: Any, path: Path) -> None:
    """Use the times measured by an earlier build; those of another GPU or version are refused by TensorRT itself."""
    if not config.set_timing_cache(_timing(config, path), False):
        config.set_timing_cache(config.create_timing_cache(b""), False)


def _timing(config: Any, path: Path) -> Any:
    saved = path.read_bytes() if path.is_file() else b""
    return config.create_timing_cache(saved) or config.create_timing_cache(b"")


def _save_timing(config: Any, path: Path) -> None:
    cache = config.get_timing_cache()
    with atomic(path) as temporary:
        temporary.write_bytes(cache.serialize())


def _tensors(trt: ModuleType, network: Any) -> tuple[Tensor, ...]:
    inputs = [("input", network.get_input(index)) for index in range(network.num_inputs)]
    outputs = [("output", network.get_output(index)) for index in range(network.num_outputs)]
    return tuple(
        Tensor(tensor.name, role, trt.nptype(tensor.dtype).__name__, tuple(tensor.shape))
        for role, tensor in inputs + outputs
    )


def _write_layers(trt: ModuleType, built: Any, path: Path, tell: Callable[[str], None]) -> None:
    """Save which layers were fused and which kernels run them; TensorRT tells only where the engine can be loaded."""
    engine = None
    if find_gpu():
        runtime = Journal(trt).start(trt.Runtime, path)
        engine = runtime.deserialize_cuda_engine(built)
    if engine is None:
        tell(f"{path.name}: not written, a GPU that runs the engine is needed to look into it")
        return
    inspector = engine.create_engine_inspector()
    write_text(path, inspector.get_engine_information(trt.LayerInformationFormat.JSON) + "\n")
