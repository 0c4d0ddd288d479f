"Files are data: what is damaged, foreign or malicious runs nothing and is named in one line. What carries a fingerprint or a checksum is never taken for something else; of a text (settings, results) only the form can be checked, not a digit."
import ast, io, json, os, pickle, random, resource, shutil, struct, subprocess, sys, tempfile, time, zipfile, zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
import numpy as np, pytest, safetensors.torch as st, torch, yaml
from omegaconf import OmegaConf
import jepa_tutorial
from jepa_tutorial.tools import commands, evaluation, report, reproduce, rows, runner, sweeps, tasks, tracking
from jepa_tutorial.training import checkpoints, resuming
from jepa_tutorial.tools.config import _kind, dotted_keys, load_config
from jepa_tutorial.model.jepa import build_jepa
from jepa_tutorial.training.checkpoints import load_trained, save_trained, Trained
from jepa_tutorial.training.learner import Learner, train_step
from jepa_tutorial.training.probing import PositionProbe
from jepa_tutorial.planning.agent import load_planner

PACKAGE = Path(jepa_tutorial.__file__).parent
SMALL = ('model.dim=16', 'model.channels=[2,2,2]', 'optim.batch=2', 'optim.epoch_steps=4', 'optim.epochs=2', 'data.clip=5', 'loss.rollout=2')

# ── kinds of files: how one is made, read, and recognised ────────────────────────────────────────────────────────────

class Kind(NamedTuple):
    name: str
    file: str        # in the folder that `folder` made
    load: Callable   # folder -> object
    same: Callable   # (object, undamaged object) -> is it the same, or at least of the right form?

def tensors_equal(a, b):
    if torch.is_tensor(a): return torch.is_tensor(b) and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict): return a.keys() == b.keys() and all(tensors_equal(a[k], b[k]) for k in a)
    return all(map(tensors_equal, a, b)) and len(a) == len(b) if isinstance(a, (list, tuple)) else a == b

def same_model(a, b): return tensors_equal([m.state_dict() for m in a[:2]], [m.state_dict() for m in b[:2]]) and a.jepa.normalizer == b.jepa.normalizer and all(a.card[k] == b.card[k] for k in b.card)
def numbers(x): return type(x) in (int, float)
def finite(x): return numbers(x) and np.isfinite(x)

def right_settings(a, b):
    "The keys are those of the base, and each value is of its kind."
    return dotted_keys(a) == dotted_keys(b) and all(_kind(OmegaConf.select(a, k)) == _kind(OmegaConf.select(b, k)) or None in (OmegaConf.select(a, k), OmegaConf.select(b, k)) for k in dotted_keys(b))

def read_state(folder):
    learner = Learner(load_config('quick', *SMALL), 'cpu')
    resuming.load_state(learner, folder)
    return learner.state()

def read_tasks(folder):
    was, tasks.TASKS = tasks.TASKS, folder
    try: return tasks.load_tasks('fixed_wall_v1')
    finally: tasks.TASKS = was

ROW = rows.queue('dense')[0]
def read_result(folder): return reproduce.load_results(folder, True, ['dense'])[ROW]

KINDS = [
    Kind('weights', 'model.safetensors', lambda f: load_trained(f, 'cpu'), same_model),
    Kind('card', 'model.json', lambda f: load_trained(f, 'cpu'), same_model),
    Kind('state', 'state.pt', read_state, tensors_equal),
    Kind('tasks', 'fixed_wall_v1.npz', read_tasks, tensors_equal),
    Kind('settings', 'mine.yaml', lambda f: load_config(f/'mine.yaml'), right_settings),
    Kind('planner', 'plan.yaml', lambda f: load_planner(str(f/'plan.yaml')), lambda a, b: isinstance(a, type(b))),
    Kind('sweep', 'sweep.yaml', sweeps.load_sweep, lambda a, b: all(t.name and t.overrides for t in a.trials)),
    Kind("a run's settings", 'run/config.yaml', report.finished, lambda a, b: all(c.optim.epochs == 2 and c.optim.epoch_steps > 0 for c in a.values())),
    Kind('metrics', 'metrics.jsonl', resuming.read_metrics, lambda a, b: all(type(r['step']) is int and all(map(numbers, r.values())) for r in a)),
    Kind('status', 'status.json', runner.read_status, lambda a, b: a['state'] in ('queued', 'running', 'done', 'failed', 'stopped', 'missing')),
    Kind('result', f'final/{ROW.name}.json', read_result, lambda a, b: a is None or all(0 <= a[k] <= 1 for k in ('success', 'low', 'high')) and finite(a['seconds_per_episode'])),
    Kind('episodes', 'log.jsonl', lambda f: evaluation._pieces(f/'log.jsonl'), lambda a, b: all(finite(p['seconds']) and all(len(o) == 3 and all(map(finite, o)) for o in p['outcomes']) for p in a)),
    Kind('table', 'epochs.csv', lambda f: report.read_csv(f/'epochs.csv'), lambda a, b: all(type(r['step']) is int and type(r['value']) is float and r.keys() == a[0].keys() for r in a)),
    Kind('bench', 'bench.json', lambda f: commands._earlier(f/'bench.json'), lambda a, b: all(finite(c['fast']) for c in a['cases'])),
    Kind('number at wandb', 'wandb-run', tracking._number, lambda a, b: 0 < len(a) <= 128 and a.isascii() and not set(a) & set(' \n\0')),
]

def make_folder(f: Path) -> Path:
    "One healthy file of each kind."
    cfg, results = load_config('quick', *SMALL), PACKAGE.parent/'jepa_tutorial/results'
    torch.manual_seed(0)
    for sub in ('run', 'final'): (f/sub).mkdir(parents=True)
    save_trained(f/'model', Trained(build_jepa(cfg.model), PositionProbe(16), dict(config=cfg, steps=3, history=[dict(step=i, probe=i/7) for i in range(20)])))
    learner = Learner(cfg, 'cpu')
    for _ in range(2): train_step(learner)
    resuming.save_state(learner, f)
    shutil.copy(PACKAGE/'tasks'/'fixed_wall_v1.npz', f)
    (f/'mine.yaml').write_text((PACKAGE/'configs'/'random_wall.yaml').read_text() + '# ein Kommentar über Türen\n', encoding='utf-8')
    (f/'plan.yaml').write_text('base: plan_fast\nnum_samples: 50\nhorizon: 40\nsigma: 1.25\nnoise_correlation: [0.9]\n')
    (f/'sweep.yaml').write_text('name: mine\nbase: quick\noverrides: [optim.epochs=2]\ngrid:\n  seed: [1, 2]\n  loss.alpha: [4, 16]\n')
    (f/'run/config.yaml').write_text(OmegaConf.to_yaml(cfg)); (f/'run/epoch_002.safetensors').write_bytes(b'')
    (f/'metrics.jsonl').write_text(''.join(json.dumps(dict(step=i, frames=10*i, total=1/i, probe=float('nan') if i == 3 else .1, seconds=.5*i)) + '\n' for i in range(1, 30)))
    (f/'status.json').write_text(json.dumps(dict(state='running', **runner._who(), updated=1.5)))
    (f/'final'/f'{ROW.name}.json').write_text((results/'final'/f'{ROW.name}.json').read_text())
    (f/'log.jsonl').write_text(''.join(json.dumps(dict(seconds=1.5, outcomes=[[3.25, 1.125, 40], [30.5, 12.75, -1]]*10)) + '\n' for _ in range(5)))
    report.write_csv(f/'epochs.csv', [dict(run='a', group='b', seed='1', epoch=e, step=4*e, metric='probe', value=.25*e) for e in range(1, 20)])
    (f/'bench.json').write_text((results/'bench-cpu.json').read_text())
    tracking._number(f)
    return f

# ── damage ───────────────────────────────────────────────────────────────────────────────────────────────────────────

def flip(n):
    def f(r, data):
        out = bytearray(data)
        for _ in range(n): out[r.randrange(len(out))] ^= 1 << r.randrange(8)
        return bytes(out)
    return f

def places(r, data): return sorted(r.randrange(len(data) + 1) for _ in range(2))
def cut(r, data): return data[:r.randrange(len(data))]
def drop(r, data): a, b = places(r, data); return data[:a] + data[b:]
def zeros_at_the_end(r, data): n = r.randrange(len(data)); return data[:n] + bytes(len(data) - n)
def noise_inside(r, data): a = r.randrange(len(data)); return data[:a] + r.randbytes(r.randrange(1, 300)) + data[a:]
def halves_swapped(r, data): n = len(data)//2; return data[n:] + data[:n]
def recoded(name): return lambda r, data: data.decode('latin-1').encode(name)
def named_twice(r, data): return data.replace(b'{', b'{"a": 1, "a": 2, ', 1) if b'{' in data else data.replace(b'\n', b'\nname: a\nname: b\n', 1)

GENERIC = dict(one_bit=flip(1), two_bits=flip(2), twenty_bits=flip(20), cut=cut, drop=drop, zeros_at_the_end=zeros_at_the_end, noise_inside=noise_inside, halves_swapped=halves_swapped,
               twice=lambda r, data: data + data, zeros=lambda r, data: bytes(len(data)), noise=lambda r, data: r.randbytes(len(data)), utf16=recoded('utf-16'), utf32=recoded('utf-32'),
               latin1=lambda r, data: data + 'Tür: größer\n'.encode('latin-1'), nul=lambda r, data: data[:9] + b'\0' + data[9:], upper=lambda r, data: data.upper(), named_twice=named_twice)

def png(): return b'\x89PNG\r\n\x1a\n' + struct.pack('>I', 13) + b'IHDR' + struct.pack('>IIBBBBB', 8, 8, 8, 2, 0, 0, 0) + bytes(200)
def archive(**files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, 'w', zipfile.ZIP_DEFLATED) as z: [z.writestr(k, v) for k, v in files.items()]
    return out.getvalue()
def array(x, **more): out = io.BytesIO(); np.savez(out, **{'wall_x': x, 'door_y': x, 'start': x, 'goal': x} | more); return out.getvalue()
def saved(x): out = io.BytesIO(); torch.save(x, out); return out.getvalue()
def laughs(levels=9): return '\n'.join(['a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha]', *(f'a{i}: &a{i} [{", ".join([f"*a{i-1}"]*9)}]' for i in range(1, levels)), f'name: *a{levels-1}']).encode()

FOREIGN = dict(empty=b'', png=png(), zip=archive(a='hello'), gzip=b'\x1f\x8b\x08' + zlib.compress(bytes(999)), elf=b'\x7fELF' + bytes(999), text=b'To whom it may concern\n', html=b'<!DOCTYPE html><title>404</title>\n',
               null=b'null', number=b'7', list=b'[]', group=b'{}', string=b'"text"', nested=b'['*50_000 + b']'*50_000, nested_groups=b'{"a":'*50_000 + b'1' + b'}'*50_000, nested_yaml=b'a: ' + b'{b: '*3000 + b'1' + b'}'*3000,
               many=b'[' + b'[],'*200_000 + b'[]]', huge_integer=b'{"step": ' + b'9'*100_000 + b'}', laughs=laughs(), itself=b'&a {name: *a}', long_key=b'k'*100_000 + b': 1\n', long_line=b'x'*1_000_000,
               many_keys=''.join(f'k{i}: {i}\n' for i in range(9000)).encode(), infinite=b'{"name": Infinity, "seed": 1e999}', date=b'name: 2026-01-01\nseed: !!binary aGE=\n', its_own_base=None, large=None, folder=None)

def header(h, n=None, data=b''): h = json.dumps(h).encode() if not isinstance(h, bytes) else h; return struct.pack('<Q', len(h) if n is None else n) + h + data
def pair(f, change=None, data=None):
    "A pair whose fingerprints are right, whatever is in it."
    card, weights = json.loads((f/'model.json').read_text()), (f/'model.safetensors').read_bytes() if data is None else data
    if change: change(card)
    card['weights'].update(sha256=checkpoints.hashlib.sha256(weights).hexdigest(), bytes=len(weights)); card['fingerprint'] = checkpoints._fingerprint(card)
    (f/'model.safetensors').write_bytes(weights); (f/'model.json').write_text(json.dumps(card))

def other_numbers(change):
    def f(folder):
        state = st.load((folder/'model.safetensors').read_bytes()); change(state); pair(folder, data=st.save(state))
    return f
def each(convert): return other_numbers(lambda s: s.update({k: convert(v).contiguous() for k, v in s.items()}))
def one(change):
    def f(s): k = 'jepa.predictor.cells.0.weight_hh'; s[k] = change(s[k])
    return other_numbers(f)
def settings(**model): return lambda f: pair(f, lambda c: c['config']['model'].update(model))
def with_data(data): return lambda f: pair(f, data=data)
def poke(v, x): v = v.clone(); v.view(-1)[7] = x; return v
MADE_OF_WEIGHTS = dict(
    nan=one(lambda v: poke(v, float('nan'))), infinity=one(lambda v: poke(v, float('-inf'))), all_nan=each(lambda v: v*float('nan')), integers=each(lambda v: v.int()), doubles=each(lambda v: v.double()), complex=each(lambda v: v.cfloat()),
    booleans=each(lambda v: v > 0), bfloat=each(lambda v: v.bfloat16()), turned=one(lambda v: v.T.contiguous()), flat=one(lambda v: v.reshape(-1)), scalar=one(lambda v: v.sum()), renamed=other_numbers(lambda s: s.update(more=s.pop('probe.net.0.bias'))),
    terabytes=with_data(header({'a': dict(dtype='F32', shape=[10**12], data_offsets=[0, 4*10**12])})), endless_header=with_data(header(b'{}', 2**63)), long_header=with_data(header(b'{' + b' '*999, 99_999_999)),
    negative=with_data(header({'a': dict(dtype='F32', shape=[-1], data_offsets=[8, -8])}, data=bytes(64))), overlapping=with_data(header({k: dict(dtype='F32', shape=[16], data_offsets=[0, 64]) for k in 'ab'}, data=bytes(64))),
    unknown_type=with_data(header({'a': dict(dtype='F8_E8M0', shape=[64], data_offsets=[0, 64])}, data=bytes(64))), odd_type=with_data(header({'a': dict(dtype='PY', shape=[64], data_offsets=[0, 64])}, data=bytes(64))),
    nested_header=with_data(header(b'{"a":'*99_999)), infinite_header=with_data(header(b'{"a": {"data_offsets": [0, Infinity]}}')), text_header=with_data(header({'a': dict(data_offsets=['x', 'y'])})))
def other_model(f):
    torch.manual_seed(9); cfg = load_config('quick', *SMALL)
    save_trained(f/'other', Trained(build_jepa(cfg.model), PositionProbe(16), dict(config=cfg))); os.replace(f/'other.json', f/'model.json')
MADE_OF_CARD = dict(
    huge_dim=settings(dim=10**9), endless_dim=settings(dim=10**18), real_dim=settings(dim=1e30), text_dim=settings(dim='16'), true_dim=settings(dim=True), no_dim=settings(dim=None), negative_dim=settings(dim=-16),
    huge_channels=settings(channels=[10**6]*3), many_channels=settings(channels=[2]*10**5), no_channels=settings(channels=[]), number_channels=settings(channels=2), huge_layers=settings(num_layers=10**9), other_dim=settings(dim=24),
    no_config=lambda f: pair(f, lambda c: c.pop('config')), list_config=lambda f: pair(f, lambda c: c.update(config=[1])), text_model=lambda f: pair(f, lambda c: c['config'].update(model='big')),
    normalizer=lambda f: pair(f, lambda c: c['normalizer'].update(obs_std=[0, 1])), long_normalizer=lambda f: pair(f, lambda c: c['normalizer'].update(obs_mean=[0.]*9)), odd_normalizer=lambda f: pair(f, lambda c: c['normalizer'].update(more=[1, 2])),
    changed_digit=lambda f: (f/'model.json').write_text((f/'model.json').read_text().replace('"steps": 3', '"steps": 8')), swapped=other_model)

def state(change):
    def f(folder):
        s = torch.load(folder/'state.pt', weights_only=True); change(s); (folder/'state.pt').write_bytes(saved(s))
    return f
def moments(convert):
    def f(s): m = s['optimizer']['state'][0]; m['exp_avg'] = convert(m['exp_avg'])
    return state(f)
def weight(convert): return state(lambda s: s['jepa'].update({k: convert(v) for k, v in s['jepa'].items()}))
MADE_OF_STATE = dict(
    nan=weight(lambda v: v*float('nan')), integers=weight(lambda v: v.int()), doubles=weight(lambda v: v.double()), complex=weight(lambda v: v.cfloat()), flat=weight(lambda v: v.reshape(-1)), no_tensors=weight(lambda v: 3.),
    moments_nan=moments(lambda v: v*float('inf')), moments_flat=moments(lambda v: v.reshape(-1)), moments_missing=state(lambda s: s['optimizer']['state'][0].pop('exp_avg')), moments_of_others=state(lambda s: s['optimizer']['state'].update({999: s['optimizer']['state'][0]})),
    no_step=state(lambda s: s.pop('step')), text_step=state(lambda s: s.update(step='2')), negative_step=state(lambda s: s.update(step=-1)), later_step=state(lambda s: s.update(step=10**9)), nan_seconds=state(lambda s: s.update(seconds=float('nan'))),
    generator=state(lambda s: s.update(generator=torch.zeros(7, dtype=torch.uint8))), no_generator=state(lambda s: s.update(generator=None)), no_config=state(lambda s: s.update(config=5)), laughs=state(lambda s: s.update(config=laughs().decode())),
    looked_up=state(lambda s: s.update(config='name: ${oc.env:HOME}')), other_settings=state(lambda s: s.update(config=s['config'].replace('dim: 16', 'dim: 17'))), a_list=lambda f: (f/'state.pt').write_bytes(saved([1])), groups=state(lambda s: s['optimizer'].update(param_groups=[])),
    deflated=lambda f: (f/'state.pt').write_bytes(archive(**{'archive/data.pkl': bytes(10**8), 'archive/version': '3'})))

E5 = np.zeros(5, np.int64)
def place(x, n=5): return np.zeros((n, 2), np.float32) + np.float32(x)
def put(name, data): return lambda f: (f/name).write_bytes(data if isinstance(data, bytes) else data.encode())
MADE = dict(
    weights=MADE_OF_WEIGHTS, card=MADE_OF_CARD, state=MADE_OF_STATE,
    tasks={k: put('fixed_wall_v1.npz', v) for k, v in dict(
        nan=array(E5, start=place(float('nan')), goal=place(1)), doubles=array(E5, start=place(1).astype(float), goal=place(1)), short=array(E5, start=place(1, 4), goal=place(1)), booleans=array(E5 > 0, start=place(1), goal=place(1)),
        complex=array(E5, start=place(1).astype(np.complex64), goal=place(1)), missing=array(E5), words=array(np.array(['a', 'b'])), bomb=archive(**{'start.npy': bytes(10**8)}),
        promise=archive(**{'start.npy': b'\x93NUMPY\x01\x00v\x00' + b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 2), }".ljust(117) + b'\n'}), single=b'\x93NUMPY\x01\x00v\x00' + b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,), }".ljust(117) + b'\n').items()},
    settings={k: put('mine.yaml', v) for k, v in dict(
        tag='name: !!python/object/apply:os.getcwd []', tuple='model: {channels: !!python/tuple [1, 2]}', looked_up='name: ${oc.env:HOME}', created='model: {channels: "${oc.create:[1,2]}"}', selected='name: ${seed}', missing='seed: ???', nan='optim: {lr: .nan}',
        infinity='optim: {lr: 1e999}', dotted='optim.lr: 1e-3', emptied='optim: null', kinds='optim: {lr: fast}', lists='seed: [1]', unknown='optim: {lrr: 1}', no_base='base: nowhere', list_base='base: [quick]', long_base='base: ' + 'x'*5000, big='seed: 99999999999999999999999', two='name: a\n---\nname: b').items()},
    planner={k: put('plan.yaml', v) for k, v in dict(null='base: plan_fast\nnum_samples: null', half='base: plan_fast\nnum_samples: 1.5', zero='base: plan_fast\niterations: 0', words='base: plan_fast\nnoise_correlation: [a]', strange='base: plan_fast\nplanner: luck', other='base: quick').items()},
    sweep={k: put('sweep.yaml', v) for k, v in dict(looked_up='grid: {seed: ["${oc.env:HOME}"]}', grid='grid: 7', runs='runs: {a: 1}', huge='grid: {model.dim: [1000000000], seed: [1, 2]}', null='overrides: [optim.batch=null]', planner='base: plan_fast', part='trials: [1]', overrides='overrides: 7', words='overrides: seed=1', list_name='name: [1]', half='overrides: [optim.batch=1.5]').items()},
    metrics={k: put('metrics.jsonl', v) for k, v in dict(text='{"step": 1, "total": "x"}\n{"step": 2}\n', middle='{"step": 1}\n{"st\n{"step": 3}\n', no_step='{"total": 1}\n{"step": 2}\n', real_step='{"step": 1.5}\n', huge='{"step": 1' + '0'*400 + '}\n').items()},
    status={k: put('status.json', v) for k, v in dict(pid='{"state": "running", "pid": -1, "host": "a", "born": ""}', huge='{"state": "running", "pid": 99999999999, "host": "a", "born": ""}', state='{"state": 5}', nobody='{"state": "queued"}').items()},
    result={k: lambda f, change=v: (p := f/'final'/f'{ROW.name}.json').write_text(json.dumps(json.loads(p.read_text()) | change)) for k, v in dict(rate=dict(success=1.5), text=dict(low='x'), none=dict(high=None), other_row=dict(variant='no_variance'), nan=dict(success=float('nan'))).items()},
    table={k: put('epochs.csv', v) for k, v in dict(head='run,epoch,step,value\n', short='run,epoch,step,value\na,1,2\n', long='run,epoch,step,value\na,1,2,3,4\n', words='run,epoch,step,value\na,one,2,3\n', quote='run,epoch,step,value\n"a,1,2,3\n', others='x,y\n1,2\n').items()})

def damage(kind: Kind, folder: Path, r: random.Random, how: str):
    "Do it."
    path = folder/kind.file
    if how in MADE.get(kind.name, {}): return MADE[kind.name][how](folder)
    if how in GENERIC: return path.write_bytes(GENERIC[how](r, path.read_bytes()))
    if how == 'other_kind': return path.write_bytes((folder/r.choice([k for k in KINDS if k.file != kind.file]).file).read_bytes())
    path.unlink()
    if how == 'folder': path.mkdir()
    elif how == 'large': path.touch(); os.truncate(path, 2**30)
    elif how == 'its_own_base': path.write_text(f'base: {path}\n')
    elif how != 'gone': path.write_bytes(FOREIGN[how])

def cases(n: int) -> list:
    "The kinds in turn; for each, what was made for it, foreign files, and damage of all sorts, over and over until there are `n`."
    hows = {k.name: [*MADE.get(k.name, {}), *FOREIGN, *GENERIC, 'other_kind', 'gone'] for k in KINDS}
    for i, v in enumerate(hows.values()): random.Random(i).shuffle(v)
    return [(KINDS[i % len(KINDS)], hows[(k := KINDS[i % len(KINDS)]).name][(i//len(KINDS)) % len(hows[k.name])], i) for i in range(n)]

# ── the promises ─────────────────────────────────────────────────────────────────────────────────────────────────────

def peak() -> int: return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == 'darwin' else 1024)

def work(first: int, step: int, n: int):
    "In a process of its own: every `step`-th case; prints what came of each as a line of JSON."
    torch.set_num_threads(1)
    healthy = make_folder(Path(tempfile.mkdtemp())/'healthy')
    whole = {k.name: k.load(healthy) for k in KINDS}          # and the memory that reading needs is taken
    for kind, how, seed in cases(n)[first::step]:
        folder = Path(tempfile.mkdtemp())/'f'; shutil.copytree(healthy, folder)
        damage(kind, folder, random.Random(seed), how)
        before, start, told = peak(), time.process_time(), None
        try: got = kind.load(folder)
        except (ValueError, FileNotFoundError) as e: told = str(e)
        except BaseException as e: told = f'\n{type(e).__name__}: {e}'          # two lines: not what was promised
        seconds = time.process_time() - start
        right = told is not None or kind.same(got, whole[kind.name])
        print(json.dumps(dict(kind=kind.name, how=how, seed=seed, told=told, named=told is None or Path(kind.file).stem in told or str(folder) in told, right=bool(right), seconds=seconds, memory=peak() - before)), flush=True)
        shutil.rmtree(folder.parent)

@pytest.mark.promise('A damaged file gives one line with its name within a second; a model, a training state or a set of tasks is never loaded as something else.', files=(60, 1000))
def test_damaged_files(size, record_property):
    run = lambda i: subprocess.Popen([sys.executable, '-W', 'error', __file__, str(i), '2', str(size['files'])], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ, OMP_NUM_THREADS='1', JEPA_DEVICE='cpu'))
    done = [p.communicate(timeout=1200) for p in [run(0), run(1)]]
    got = [json.loads(line) for out, _ in done for line in out.splitlines()]
    assert len(got) == size['files'], [err[-2000:] for _, err in done]
    refused = [c for c in got if c['told'] is not None]
    record_property('refused', len(refused)); record_property('unharmed', len(got) - len(refused))
    record_property('slowest_seconds', round(max(c['seconds'] for c in got), 2)); record_property('largest_memory_mb', round(max(c['memory'] for c in got)/1e6))
    wrong = [c for c in got if not c['right'] or not c['named'] or '\n' in (c['told'] or '') or len(c['told'] or '') > 500]
    assert not wrong, '\n'.join(map(str, wrong))
    assert max(got, key=lambda c: c['seconds'])['seconds'] < 1, max(got, key=lambda c: c['seconds'])
    assert max(got, key=lambda c: c['memory'])['memory'] < 500e6, max(got, key=lambda c: c['memory'])

# ── nothing runs ─────────────────────────────────────────────────────────────────────────────────────────────────────

UNSAFE = {'pickle', 'cPickle', '_pickle', 'dill', 'cloudpickle', 'marshal', 'shelve', 'joblib', 'jsonpickle'}
CALLS = {'eval', 'exec', 'compile', '__import__', 'os.system', 'os.popen', 'yaml.load', 'yaml.load_all', 'yaml.unsafe_load', 'yaml.unsafe_load_all', 'yaml.full_load', 'yaml.full_load_all', 'torch.jit.load', 'torch.hub.load',
         'torch.package.PackageImporter', 'pd.read_pickle', 'np.fromfile', 'OmegaConf.register_new_resolver', 'OmegaConf.register_resolver'}
NEEDS = {'torch.load': ('weights_only', True), 'np.load': ('allow_pickle', False), 'numpy.load': ('allow_pickle', False)}

def unsafe(source: str) -> list:
    "What in a source could run code from a file."
    found = []
    for node in ast.walk(ast.parse(source)):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ''] if isinstance(node, ast.ImportFrom) else []
        found += [f'import {n}' for n in names if n.split('.')[0] in UNSAFE]
        if not isinstance(node, ast.Call): continue
        called, said = ast.unparse(node.func), {k.arg: getattr(k.value, 'value', None) for k in node.keywords}
        if called in CALLS or said.get('shell'): found.append(called)
        if called in NEEDS and said.get(NEEDS[called][0]) is not NEEDS[called][1]: found.append(called)
    return found

def test_no_source_reads_a_file_in_a_way_that_could_run_it():
    for bad in ('import pickle', 'from dill import loads', 'eval(x)', 'torch.load(f)', 'torch.load(f, weights_only=False)', 'np.load(f)', 'np.load(f, allow_pickle=True)', 'yaml.load(f, yaml.Loader)', 'run(x, shell=True)', 'torch.jit.load(f)'):
        assert unsafe(bad), bad
    assert not unsafe('torch.load(f, weights_only=True); np.load(f, allow_pickle=False); model.eval(); re.compile(x)')
    sources = {str(p.relative_to(PACKAGE)): p.read_text(encoding='utf-8') for p in PACKAGE.glob('**/*.py')}
    assert len(sources) > 20
    assert {n: f for n, s in sources.items() if (f := unsafe(s))} == {}
    # settings are read in one place, behind `check_yaml`; processes of one training tell each other their step by pickle, never through a file
    where = lambda words: {n for n, s in sources.items() if any(isinstance(c, ast.Call) and ast.unparse(c.func).endswith(words) for c in ast.walk(ast.parse(s)))}
    assert where('OmegaConf.load') == {'tools/config.py'} and where(('gather_object', 'reduce_object', 'broadcast_object', '_object_list')) <= {'training/distributed.py'}

class Run:
    "Pickled, a command."
    def __init__(self, command): self.command = command
    def __reduce__(self): return os.system, (self.command,)

def payloads(command: str) -> dict:
    "Files that run `command` where they are read carelessly."
    evil, old, script = Run(command), io.BytesIO(), archive(**{'archive/data.pkl': pickle.dumps(Run(command), 2), 'archive/constants.pkl': pickle.dumps(Run(command), 2), 'archive/code/__torch__.py': 'x', 'archive/version': '3'})
    torch.save(evil, old, _use_new_zipfile_serialization=False)
    objects = np.empty(1, object); objects[0] = evil
    single = io.BytesIO(); np.save(single, objects, allow_pickle=True)
    tag = 'tag:yaml.org,2002:python/object/apply:os.system'
    texts = dict(apply=f'name: !!python/object/apply:os.system ["{command}"]', new=f'name: !!python/object/new:os.system ["{command}"]', whole=f'!!python/object/apply:os.system ["{command}"]', full=f'name: !<{tag}> ["{command}"]',
        short=f'%TAG ! tag:yaml.org,2002:python/object/apply:\n---\nname: !os.system ["{command}"]', function='name: !!python/name:os.system', module='name: !!python/module:os', path='name: !!python/object/apply:pathlib.PosixPath [/etc]',
        resolver='name: ${run:now}', resolver_in_list='model: {channels: ["${run:now}"]}', resolver_as_key='"${run:now}": 1', environment='name: ${oc.env:JEPA_SECRET}', decoded='name: ${oc.decode:${oc.env:JEPA_SECRET}}', created='model: ${oc.create:{dim: 8}}',
        a_run='runs: [["name=${oc.env:JEPA_SECRET}"]]', escaped='name: "\\x24{oc.env:JEPA_SECRET}"', json=json.dumps(dict(name='${oc.env:JEPA_SECRET}', state='${run:now}')), jsonpickle=json.dumps({'py/reduce': [{'py/function': 'os.system'}, {'py/tuple': [command]}]}),
        python=f'import os; os.system({command!r})', shell=f'#!/bin/sh\n{command}\n', backticks=f'name: `{command}` $({command})', csv=f'run,epoch,step,value\n=cmd|{command},$(run),`run`,1\n')
    return dict(pickle0=pickle.dumps(evil, 0), pickle2=pickle.dumps(evil, 2), pickle5=pickle.dumps(evil, 5), torch=saved(evil), torch_state=saved(dict(step=evil, config='name: a')), torch_old=old.getvalue(), torchscript=script,
                npy=single.getvalue(), npz=array(objects), npz_one=array(E5, start=objects, goal=place(1)), **{k: v.encode() for k, v in texts.items()})

@pytest.mark.filterwarnings('ignore:register_new_resolver')
@pytest.mark.promise('Loading a model, a state or a configuration never runs code from the file.', files=(100, 480))
def test_nothing_runs(size, record_property, tmp_path, monkeypatch):
    ran, healthy = tmp_path/'ran', make_folder(tmp_path/'healthy')
    monkeypatch.setenv('JEPA_SECRET', 'o4p7w')
    OmegaConf.register_new_resolver('run', lambda word: ran.touch() or word, replace=True)
    evil = payloads(f'touch {ran}')
    for careless in (lambda: pickle.loads(evil['pickle2']), lambda: torch.load(io.BytesIO(evil['torch']), weights_only=False), lambda: np.load(io.BytesIO(evil['npz']), allow_pickle=True)['start'],
                     lambda: yaml.unsafe_load(evil['apply']), lambda: OmegaConf.create(evil['resolver'].decode()).name):
        careless(); assert ran.exists(); ran.unlink()          # they are what they claim to be
    todo = [(k, name) for k in KINDS for name in evil]; random.Random(0).shuffle(todo)
    tried = refused = 0
    try:
        for kind, name in todo[:size['files']]:
            was = (healthy/kind.file).read_bytes()
            (healthy/kind.file).write_bytes(evil[name]); tried += 1
            try: said = repr(kind.load(healthy))
            except (ValueError, FileNotFoundError) as e: said = str(e); refused += 1; assert '\n' not in said
            assert not ran.exists(), f'{kind.name} ran {name}'
            assert 'o4p7w' not in said, f'{kind.name} gave away a variable of the environment: {name}'
            (healthy/kind.file).write_bytes(was)
        for override in ('name=${oc.env:JEPA_SECRET}', 'name=${run:now}', 'name=!!python/object/apply:os.getcwd []', 'model.channels=[1,"${run:1}"]'):
            with pytest.raises(ValueError, match='key=value'): load_config('quick', override)
    finally: OmegaConf.clear_resolver('run')
    assert not ran.exists() and refused > .9*tried
    record_property('tried', tried); record_property('refused', refused)

# ── commands ─────────────────────────────────────────────────────────────────────────────────────────────────────────

@pytest.fixture(scope='module')
def healthy(tmp_path_factory): return make_folder(tmp_path_factory.mktemp('files')/'healthy')

@pytest.fixture
def folder(healthy, tmp_path): return shutil.copytree(healthy, tmp_path/'run')

TRAIN = lambda f: commands.jepa_train('quick', SMALL, out=str(f), device='cpu', json=True)
PLAN = lambda f: commands.jepa_plan(str(f), episodes=1, steps=1, json=True)
COMMANDS = {
    'jepa_train': [('state', 'one_bit', TRAIN), ('state', 'nan', TRAIN), ('state', 'png', TRAIN), ('metrics', 'middle', TRAIN), *(('settings', how, lambda f: commands.jepa_train(str(f/'mine.yaml'), out=str(f/'new'))) for how in ('tag', 'laughs', 'png', 'nested_yaml', 'looked_up', 'folder', 'gone', 'utf16'))],
    'jepa_plan': [('weights', 'one_bit', PLAN), ('weights', 'cut', PLAN), ('weights', 'nan', PLAN), ('card', 'huge_dim', PLAN), ('card', 'swapped', PLAN), ('card', 'folder', PLAN), ('planner', 'null', lambda f: commands.jepa_plan(str(f), planner=str(f/'plan.yaml'))), ('card', 'no_data', PLAN)],
    'jepa_unroll': [('weights', how, lambda f: commands.jepa_unroll(str(f), clips=1)) for how in ('zip', 'infinity', 'integers', 'empty')],
    'jepa_report': [("a run's settings", 'zeros', lambda f: commands.jepa_report(str(f))), ("a run's settings", 'gone', lambda f: commands.jepa_report(str(f))), ("a run's settings", 'text', lambda f: commands.jepa_report(str(f)))],
    'jepa_sweep': [('sweep', how, lambda f: commands.jepa_sweep(str(f/'sweep.yaml'), list=True)) for how in ('laughs', 'looked_up', 'grid', 'png', 'folder')],
    'jepa_reproduce': [('result', how, lambda f: commands.jepa_reproduce(list=True, budget='dense', out=str(f), final=True)) for how in ('cut', 'rate', 'nested', 'png', 'folder')],
    'jepa_bench': [('bench', how, lambda f: commands.jepa_bench(baseline=str(f/'bench.json'))) for how in ('cut', 'list', 'gzip')]}

@pytest.mark.parametrize('command', COMMANDS)
def test_commands_say_one_line(command, healthy, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path); monkeypatch.setenv('JEPA_DEVICE', 'cpu')
    for i, (name, how, call) in enumerate(COMMANDS[command]):
        f, kind = shutil.copytree(healthy, tmp_path/f'run{i}'), next(k for k in KINDS if k.name == name)
        if how == 'no_data': pair(f, lambda c: c['config'].pop('data'))
        else: damage(kind, f, random.Random(i), how)
        with pytest.raises(SystemExit) as e: call(f)
        said = e.value.code                                     # Python prints a text, and exits with 1
        assert isinstance(said, str) and said.startswith(f'{command}: ') and '\n' not in said and len(said) < 600, (kind.name, how, said)
        assert not capsys.readouterr().out

def test_a_sweep_lists_only_what_it_can_read(folder, capsys):
    run = folder/'out'/'s1-alpha4'; run.mkdir(parents=True)
    (run/'status.json').write_bytes(b'{"state": "runn')
    with pytest.raises(SystemExit) as e: commands.jepa_sweep(str(folder/'sweep.yaml'), out=str(folder/'out'), list=True)
    assert f'{run}/status.json' in e.value.code and 'move it away' in e.value.code

def test_a_damaged_lock_is_not_taken(tmp_path):
    (tmp_path/'run.lock').write_bytes(b'\x00\x00{"pid"')
    with pytest.raises(ValueError, match='run.lock cannot be read .* delete it'):
        with runner.locked(tmp_path/'run.lock'): pytest.fail('two would have worked here')

if __name__ == '__main__': work(*map(int, sys.argv[1:4]))
