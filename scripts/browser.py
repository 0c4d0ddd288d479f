"""What the pages that plan in the reader's browser load: models as ONNX, a manifest, and the runtime.

    python scripts/browser.py            into nbs/7_play/browser
    python scripts/browser.py FOLDER     the same, elsewhere
    python scripts/browser.py --models   without the runtime, which npm installs

A model is two files. `NAME_encoder.onnx` is image -> embedding and position; `NAME_plans.onnx` is plans -> costs,
last embeddings and positions. Both graphs are written here in ONNX's own text form; tests/test_browser_models.py
compares them with PyTorch. What the pages know of planners, rooms, models and colours stands in the manifest."""
import gzip, json, shutil, subprocess, sys, tempfile
from dataclasses import asdict
from pathlib import Path
import numpy as np, onnx, onnx.parser
from jepa_tutorial.planning.agent import load_planner
from jepa_tutorial.tools.plotting import COLORS
from jepa_tutorial.training.checkpoints import has_fixed_wall, load_pretrained, Trained, WEIGHTS
from jepa_tutorial.world.two_rooms import GOAL_RADIUS, MAX_STEPS, Rooms
from onnx import numpy_helper

root = Path(__file__).resolve().parent.parent
target = root/'nbs/7_play/browser'
MODELS = 'laptop', 'random_wall', 'quick_random', 'quick', 'random_wall_no_inverse_dynamics'   # the first that exists is the default
PLANNER = 'plan_stuck_noise'
RUNTIME = 'ort.wasm.min.mjs', 'ort-wasm-simd-threaded.mjs', 'ort-wasm-simd-threaded.wasm'

# graphs

def model_of(signature, lines, weights: dict, constants: dict) -> onnx.ModelProto:
    "A graph from its text, with its weights: as 16-bit floats, which the runtime widens, where that loses nothing."
    stored = {}
    for k, tensor in weights.items():
        v = tensor.detach().cpu().numpy().astype(np.float32)
        half = v.astype(np.float16)
        if np.array_equal(half.astype(np.float32), v):
            stored[f'{k}_half'] = half
            lines = [f'{k} = Cast<to=1>({k}_half)', *lines]
        else: stored[k] = v
    body = '\n'.join(lines)
    model = onnx.parser.parse_model(f'<ir_version: 9, opset_import: ["" : 18]> {signature} {{\n{body}\n}}')
    for k, v in (stored | constants).items(): model.graph.initializer.append(numpy_helper.from_array(np.asarray(v), k))
    onnx.checker.check_model(model, full_check=True)
    return model

def named(module, prefix): return {f'{prefix}_{k}'.replace('.', '_'): v for k, v in module.state_dict().items()}

def numbers(x, dtype=np.float32): return np.array(x, dtype)

def probe_lines(z, out):
    "The probe: embeddings `z` [M,D] -> positions `out` [M,2] in pixels."
    return [f'{out}_1 = Gemm<transB=1>({z}, probe_net_0_weight, probe_net_0_bias)', f'{out}_2 = Relu({out}_1)',
            f'{out}_3 = Gemm<transB=1>({out}_2, probe_net_2_weight, probe_net_2_bias)',
            f'{out}_4 = Mul({out}_3, xy_std)', f'{out} = Add({out}_4, xy_mean)']

def probe_weights(t: Trained):
    n = t.jepa.normalizer
    return named(t.probe, 'probe'), dict(xy_mean=numbers(n.position_mean), xy_std=numbers(n.position_std))

def conv(x, name, out): return f'{out} = Conv<pads=[1,1,1,1]>({x}, {name}_weight, {name}_bias)'

def block(x, name, out):
    "A residual block of the encoder."
    return [conv(x, f'{name}_conv1', f'{out}_a'), f'{out}_b = Relu({out}_a)', conv(f'{out}_b', f'{name}_conv2', f'{out}_c'),
            f'{out}_d = Add({x}, {out}_c)', f'{out} = Relu({out}_d)']

def encoder_graph(t: Trained) -> onnx.ModelProto:
    "Images uint8 [B,2,H,W] -> embeddings [B,D] and the positions [B,2] that the probe reads there."
    encoder, n, (weights, constants) = t.jepa.encoder, t.jepa.normalizer, probe_weights(t)
    channels, side, _ = encoder.in_shape
    lines = ['pixels = Cast<to=1>(image)', 'low = ReduceMin(pixels, image_axes)', 'high = ReduceMax(pixels, image_axes)',
             'range = Sub(high, low)', 'safe = Max(range, tiny)', 'spread = Mul(safe, image_std)',
             'above = Sub(pixels, low)', 'unit = Div(above, spread)', 'x0 = Sub(unit, image_shift)']
    for i in range(len(encoder.stacks)):
        name = f'encoder_stacks_{i}'
        lines += [conv(f'x{i}', f'{name}_conv', f'x{i}_in'), f'x{i}_p = MaxPool<kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]>(x{i}_in)',
                  *block(f'x{i}_p', f'{name}_block1', f'x{i}_q'), *block(f'x{i}_q', f'{name}_block2', f'x{i+1}')]
    lines += [f'flat = Flatten(x{len(encoder.stacks)})', 'wide = Gemm<transB=1>(flat, encoder_linear_weight, encoder_linear_bias)',
              f'z = LayerNormalization<epsilon={encoder.norm.eps:.8f}>(wide, encoder_norm_weight, encoder_norm_bias)', *probe_lines('z', 'position')]
    constants |= dict(image_axes=numbers([2, 3], np.int64), tiny=numbers(1e-6), image_std=n.image_std.numpy(),
                      image_shift=(n.image_mean/n.image_std).numpy())
    signature = f'encoder (uint8[B,{channels},{side},{side}] image) => (float[B,{t.jepa.dim}] z, float[B,2] position)'
    return model_of(signature, lines, weights | named(encoder, 'encoder'), constants)

STEP = """last, cost, all = Scan<num_scan_inputs=2, body = step
  (float[N,{D}] h, float[N] total, float[N,{D3}] x, float count) => (float[N,{D}] next, float[N] sum, float[N,{D}] seen) {{
    g = Gemm<transB=1>(h, gru_weight_hh, gru_bias_hh)
    g_ru, g_n = Split<axis=1>(g, sizes)
    x_ru, x_n = Split<axis=1>(x, sizes)
    a_ru = Add(x_ru, g_ru)
    ru = Sigmoid(a_ru)
    r, u = Split<axis=1>(ru, halves)
    reset = Mul(r, g_n)
    a_n = Add(x_n, reset)
    candidate = Tanh(a_n)
    old = Sub(h, candidate)
    kept = Mul(u, old)
    new = Add(candidate, kept)
    next = LayerNormalization<epsilon={eps:.8f}>(new, norm_weight, norm_bias)
    seen = Identity(next)
    away = Sub(next, goal)
    square = ReduceSumSquare<keepdims=0>(away, last_axis)
    mean = Div(square, size)
    root = Sqrt(square)
    distance = Where(squared, mean, root)
    counted = Mul(distance, count)
    sum = Add(total, counted)
  }}>(starts, zeros, xs, counts)"""

def plans_graph(t: Trained) -> onnx.ModelProto:
    """Roll out plans [N,T,2] from one embedding: their costs [N], last embeddings [N,D], and positions [N,S,2].

    A step is the GRU (@eq-gru of the book) and a LayerNorm; `counts` [T] says how much the distance to the goal counts
    after each, `squared` which distance that is, and `shown` [S] which steps the probe reads."""
    D, cells, norm = t.jepa.dim, t.jepa.predictor.cells, t.jepa.norm
    if len(cells) != 1 or cells[0].weight_ih.shape[1] != 2: raise SystemExit('scripts/browser.py knows predictors of one GRU cell and two action dimensions')
    weights, constants = probe_weights(t)
    lines = ['steps = Transpose<perm=[1,0,2]>(actions)', 'pushed = MatMul(steps, gru_weight_ih)', 'xs = Add(pushed, gru_bias_ih)',
             'shape = Shape(actions)', 'n = Gather(shape, first)', 'full = Concat<axis=0>(n, width)',
             'starts = Expand(z0, full)', 'zeros = Expand(nothing, n)', STEP.format(D=D, D3=3*D, eps=norm.eps), 'z = Identity(last)',
             'some = Gather<axis=0>(all, shown)', 'rows = Reshape(some, matrix)', *probe_lines('rows', 'read'),
             's = Shape(shown)', 'grid = Concat<axis=0>(s, n, pair)', 'places = Reshape<allowzero=1>(read, grid)', 'position = Transpose<perm=[1,0,2]>(places)']
    weights |= named(cells[0], 'gru') | named(norm, 'norm')
    weights['gru_weight_ih'] = weights['gru_weight_ih'].T
    ints = dict(first=[0], width=[D], sizes=[2*D, D], halves=[D, D], last_axis=[-1], matrix=[-1, D], pair=[2])
    constants |= {k: numbers(v, np.int64) for k, v in ints.items()} | dict(nothing=numbers([0]), size=numbers(D))
    signature = (f'plans (float[1,{D}] z0, float[1,{D}] goal, float[N,T,2] actions, float[T] counts, bool squared, int64[S] shown)'
                 f' => (float[N] cost, float[N,{D}] z, float[N,S,2] position)')
    return model_of(signature, lines, weights, constants)

# the manifest

LOSSES = dict(beta='variance', alpha='covariance', delta='time similarity', omega='inverse dynamics')

def described(card: dict) -> str:
    "What a model was trained on and with, from its card."
    loss, rooms = card['config']['loss'], Rooms()
    where = f'one room, whose wall is at x = {rooms.wall_x} and door at y = {rooms.door_y}' if has_fixed_wall(card) else 'rooms with random walls and doors'
    without = [name for k, name in LOSSES.items() if not loss[k]]
    losses = f'without the {" and ".join(without)} loss' if without else 'with all losses'
    return f'Trained {losses}, in {where}. Its embeddings have {card["config"]["model"]["dim"]} numbers.'

def entry(name, folder) -> dict:
    "Export a shipped model, and describe it."
    t = load_pretrained(name, 'cpu')
    files = {}
    for kind, graph in (('encoder', encoder_graph(t)), ('plans', plans_graph(t))):
        path = folder/f'{name}_{kind}.onnx'
        path.write_bytes(graph.SerializeToString())
        files[kind] = path.name
    size = sum((folder/f).stat().st_size for f in files.values())
    return dict(name=name, text=described(t.card), fixed=has_fixed_wall(t.card), dim=t.jepa.dim, bytes=size, **files)

def planner() -> dict:
    "The default planner as its file says, one flat dict."
    p = load_planner(PLANNER)
    return dict(planner=type(p.search).__name__.lower(), **asdict(p.search), **asdict(p.replan), **asdict(p.options))

def export(folder: Path, names=MODELS) -> dict:
    "Write models and manifest into `folder`/models."
    shutil.rmtree(folder/'models', ignore_errors=True)
    (folder/'models').mkdir(parents=True)
    models = [entry(n, folder/'models') for n in names if (WEIGHTS/f'{n}.safetensors').is_file()]
    runtime = sum(f.stat().st_size for f in (folder/'runtime').glob('*')) if (folder/'runtime').is_dir() else 0
    rooms = asdict(Rooms()) | dict(goal_radius=GOAL_RADIUS, max_steps=MAX_STEPS)
    colors = {k: v for k, v in COLORS.items() if k != 'cycle'}
    made = dict(models=models, runtime=runtime, planner=planner(), rooms=rooms, colors=colors)
    (folder/'models/manifest.json').write_text(json.dumps(made, indent=1) + '\n', encoding='utf-8')
    return made

def install_runtime(folder: Path):
    "ONNX Runtime Web, in the version of scripts/package-lock.json."
    with tempfile.TemporaryDirectory() as made:
        for f in ('package.json', 'package-lock.json'): shutil.copy(root/'scripts'/f, made)
        subprocess.run(['npm', 'ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], cwd=made, check=True)
        shutil.rmtree(folder/'runtime', ignore_errors=True)
        (folder/'runtime').mkdir(parents=True)
        for f in RUNTIME:
            data = (Path(made)/'node_modules/onnxruntime-web/dist'/f).read_bytes()
            if f.endswith('.wasm'): (folder/'runtime'/f'{f}.gz').write_bytes(gzip.compress(data, mtime=0))   # a third; model.js unpacks it
            else: (folder/'runtime'/f).write_bytes(data)

def main(args):
    folder = Path(next((a for a in args if not a.startswith('-')), target))
    if '--models' not in args:
        if not shutil.which('npm'): sys.exit('scripts/browser.py needs npm (a part of Node.js) on PATH; --models does without')
        install_runtime(folder)
    made = export(folder)
    print(f'{len(made["models"])} models, {sum(m["bytes"] for m in made["models"])/1e6:.1f} MB; runtime {made["runtime"]/1e6:.1f} MB: {folder}')

if __name__ == '__main__': main(sys.argv[1:])
