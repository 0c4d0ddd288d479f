"What repeats to the bit, what is only close, and by how much. Run as a program, this file is the fresh process that its own tests start."
import hashlib, importlib, os, subprocess, sys
from pathlib import Path
import pytest

def results(steps: int) -> dict:
    "What a process makes of seeds, a few steps of everything: name -> tensors. Generators are explicit, as everywhere in the book."
    import torch
    from jepa_tutorial.training.checkpoints import load_pretrained
    from jepa_tutorial.tools.config import load_config
    from jepa_tutorial.tools.devices import rng
    from jepa_tutorial.planning.agent import load_planner
    from jepa_tutorial.planning.fast import make_cost
    from jepa_tutorial.planning.episodes import run_episodes, sample_tasks
    from jepa_tutorial.training.probing import PositionProbe, embed, fit_probe
    from jepa_tutorial.training.learner import Learner, train_step
    from jepa_tutorial.world.trajectories import sample_clips, sample_trajectories
    from jepa_tutorial.world.two_rooms import render
    out, walks, clips, tasks = {}, sample_trajectories(300, generator=rng(0)), sample_clips(24, generator=rng(1)), sample_tasks(6, fixed=True, seed=5)
    out['trajectories'], out['pictures'], out['tasks'] = [*walks[:2], *walks.layout, clips.action, clips.position], [clips.obs], [*tasks.layout, *tasks[1:]]
    learner = Learner(load_config('quick', 'optim.batch=8'), 'cpu')
    for _ in range(steps): values = train_step(learner)
    out['losses'] = [torch.stack(list(values.values())).float()]
    out['trained weights'] = [p.detach() for m in learner.modules.values() for p in m.parameters()]
    jepa, _, _ = load_pretrained('quick', 'cpu')
    out['embeddings'] = [z := embed(jepa, clips.obs)]
    z0, goal = (embed(jepa, render(p, tasks.layout)[:, None])[:, 0] for p in tasks[1:])
    plan = load_planner('plan_fast', 'horizon=20').search.plan(make_cost(jepa, z0, goal), rng(7), 6)
    out['plans'] = [*plan[:3], plan.elites]
    out['episodes'] = [run_episodes(jepa, tasks, load_planner('plan_fast', 'horizon=12'), 2*steps, generator=rng(3)).position]
    with torch.random.fork_rng(): torch.manual_seed(0); probe = PositionProbe(z.shape[-1])
    fit_probe(probe, z, jepa.normalizer.position(clips.position), steps=5*steps, generator=rng(2))
    out['probe'] = [p.detach() for p in probe.parameters()]
    return out

def disturb(how: str):
    "What must not matter, before anything else is imported or drawn."
    for name in ('matplotlib.pyplot', *(f'jepa_tutorial.{m}' for m in ('tools.sweeps', 'planning.episodes', 'world.two_rooms', 'tools.devices'))):
        if 'imports' in how: importlib.import_module(name)
    import random, numpy, torch
    if 'chance' in how: random.random(); numpy.random.seed(5); numpy.random.rand(7); torch.manual_seed(99); torch.randn(1001)   # noqa: NPY002 (the global one is meant)
    if 'float32' in how or 'bfloat16' in how:
        import jepa_tutorial.planning.fast, jepa_tutorial.tools.devices
        for m in (jepa_tutorial.tools.devices, jepa_tutorial.planning.fast): m.amp_dtype = lambda device: torch.bfloat16 if 'bfloat16' in how else None

if __name__ == '__main__':
    disturb(sys.argv[3])
    import torch
    torch.save(results(int(sys.argv[2])), sys.argv[1])
    sys.exit()

class Fresh:
    "A fresh Python that makes `results`, beside the others."
    def __init__(self, folder, steps, how='', threads=1, **env):
        self.path = Path(folder)/f'{len(list(Path(folder).iterdir()))}.pt'
        self.path.touch()
        env = {**os.environ, 'JEPA_DEVICE': 'cpu', 'OMP_NUM_THREADS': str(threads), 'MKL_NUM_THREADS': str(threads),
               'OMP_WAIT_POLICY': 'PASSIVE', **env}                # threads that wait don't take time from the other processes
        self.run = subprocess.Popen([sys.executable, __file__, str(self.path), str(steps), how], stderr=subprocess.PIPE, env=env, text=True)

    def get(self):
        import torch
        _, err = self.run.communicate()
        assert self.run.returncode == 0, err
        return torch.load(self.path)

def difference(a, b) -> float:
    "The largest difference between two lists of tensors; 0 only if every bit is the same."
    import torch
    assert [x.shape for x in a] == [y.shape for y in b]
    if all(torch.equal(x, y) for x, y in zip(a, b)): return 0.
    return max((x.double() - y.double()).abs().max().item() for x, y in zip(a, b))

def compare(got, want) -> dict: return {k: difference(got[k], want[k]) for k in want}

def fresh_results(folder, steps, cases) -> list: return [f.get() for f in [Fresh(folder, steps, **c) for c in cases]]

@pytest.mark.promise('The same seeds give the same bits in every fresh process on a machine: trajectories, pictures, tasks, trained weights, plans, episodes, probe; whatever was imported or drawn before.',
                     processes=(2, 13), steps=(3, 20))
def test_a_fresh_process_repeats_every_bit(tmp_path, size, record_property):
    cases = [dict(how=how, PYTHONHASHSEED=str(seed)) for seed in (1, 2, 3) for how in ('imports chance', 'imports', 'chance', '')][:size['processes'] - 1]
    want, *others = fresh_results(tmp_path, size['steps'], [{}, *cases[:1]])
    for i in range(1, len(cases), 2): others += fresh_results(tmp_path, size['steps'], cases[i:i+2])
    assert len(others) == size['processes'] - 1
    for got in others: assert compare(got, want) == dict.fromkeys(want, 0.)
    record_property('values_compared', sum(x.numel() for v in want.values() for x in v)*len(others))

OLD = dict(ATEN_CPU_CAPABILITY='default', ONEDNN_MAX_CPU_ISA='SSE41', MKL_ENABLE_INSTRUCTIONS='SSE4_2')    # instructions of 2008
MATTERS = {'bfloat16 for float32': (dict(how='bfloat16'), dict(how='float32')), 'two threads for one': (dict(how='float32', threads=2), dict(how='float32')),
           'two threads for one, bfloat16': (dict(how='bfloat16', threads=2), dict(how='bfloat16')), 'an older processor': (dict(how='float32', **OLD), dict(how='float32'))}

@pytest.mark.promise('Another number of threads, another precision, another processor: not the same bits, but close. Tasks stay the same to the bit, and trajectories and pictures too as long as the processor does.',
                     settings=(2, 4), steps=(3, 20))
def test_what_does_not_repeat_is_close(tmp_path, size, record_property):
    chosen = list(MATTERS.items())[:size['settings']]
    hows = {str(how): how for _, pair in chosen for how in pair}
    made = dict(zip(hows, fresh_results(tmp_path, size['steps'], hows.values())))
    for name, pair in chosen:
        a, b = (made[str(how)] for how in pair)
        gaps = compare(a, b)
        for k, v in gaps.items(): record_property(f'{name}: {k}', float(f'{v:.1e}'))
        assert gaps['tasks'] == 0 and gaps['losses'] < (.2 if 'bfloat16' in name else 1e-3), gaps
        if 'processor' not in name: assert gaps['trajectories'] == gaps['pictures'] == 0, gaps
        assert gaps['pictures'] <= 1 and gaps['embeddings'] < .01, gaps
        assert sum(((x - y).abs() > 1e-3).float().mean().item() for x, y in zip(a['trajectories'], b['trajectories'])) < .01

@pytest.mark.promise('An image that is encoded alone, or a plan that is judged alone, has the numbers that it has in a batch, within rounding.', clips=(4, 40), plans=(40, 400))
def test_company_in_a_batch_changes_little(size, record_property):
    import torch
    from jepa_tutorial.training.checkpoints import load_pretrained
    from jepa_tutorial.tools.devices import rng
    from jepa_tutorial.planning.cost import goal_cost
    from jepa_tutorial.training.probing import embed
    from jepa_tutorial.world.trajectories import sample_clips
    jepa, clips = load_pretrained('quick', 'cpu').jepa.requires_grad_(False), sample_clips(size['clips'], generator=rng(0))
    z, alone = embed(jepa, clips.obs), torch.stack([torch.stack([jepa.encode(f) for f in film]) for film in clips.obs])
    plans = 1.5*torch.randn(1, size['plans'], 12, 2, generator=rng(1))
    cost = lambda a: goal_cost(jepa, z[:1, 0], z[1:2, 0], a)
    many, single = cost(plans), torch.cat([cost(plans[:, [i]]) for i in range(size['plans'])], 1)
    gaps = dict(embeddings=difference([z], [alone]), costs_relative=difference([many/many], [single/many]))
    for k, v in gaps.items(): record_property(k, float(f'{v:.1e}'))
    assert gaps['embeddings'] < 1e-4 and gaps['costs_relative'] < 1e-4, gaps

def test_nothing_touches_the_global_generators():
    "Whoever draws from Python's, NumPy's or PyTorch's own generator notices nothing of the library."
    import random, numpy as np, torch
    states = lambda: (torch.get_rng_state().tolist(), np.random.get_state()[1].tolist(), random.getstate())       # noqa: NPY002
    before = states()
    results(1)
    assert states() == before

@pytest.mark.promise('Training that is saved and loaded after any step goes on as if nothing had happened: the same weights and losses, to the bit.', cuts=(3, 20))
def test_a_loaded_state_goes_on_to_the_bit(tmp_path, size):
    import torch
    from jepa_tutorial.tools.config import load_config
    from jepa_tutorial.training.learner import Learner, train_step
    from jepa_tutorial.training.resuming import load_state, save_state
    cfg, n = load_config('quick', 'optim.batch=4', 'data.clip=6'), size['cuts'] + 1
    make = lambda: Learner(cfg, 'cpu')
    flat = lambda l, values: [*(p.detach().clone() for m in l.modules.values() for p in m.parameters()), torch.stack(list(values.values()))]
    whole, want = make(), []
    for _ in range(n): want.append(flat(whole, train_step(whole)))
    parts = make()
    for step in range(n):
        assert difference(flat(parts, train_step(parts)), want[step]) == 0, f'step {step}'
        save_state(parts, tmp_path); torch.rand(3); parts = make(); load_state(parts, tmp_path)

# tasks mean the same to everybody

def fingerprint(tasks) -> str:
    "SHA-256 of layouts as 64-bit integers and places as 32-bit floats, little-endian."
    import numpy as np
    return hashlib.sha256(b''.join(np.asarray(v).astype(t).tobytes() for v, t in zip((*tasks.layout, *tasks[1:]), ('<i8', '<i8', '<f4', '<f4')))).hexdigest()

DRAWN = {(100, False, 0): 'a345fb9c54337398c83adb8c0c0e009c6fc90f76747f90d34f5a2037ba9720a1',
         (100, False, 1): '77f256347dd9c6d396ccb7f90657630cead278ccaadbb876a1936e65cc3d5768',
         (100, True, 2): '77db2f7eca017e9d76e776a81dd8b430af1ad28d0214a21fdc20048d7ee17717',
         (20, False, 1_000_001): 'd867aba40287e92e7fef9937c7c7c739746d1f3cd559f734877e30fb6f3fae8d',
         (1000, False, 2**63): '6abdd057976d7ada4a88e03281ac59882c4ec228c573e578f1bc0fc5bdedf426'}
SETS = {'fixed_wall_validation': ('76bdf24726294cf4a4b643a9cdd3d71a74845dfe8bc74335b1f19663d4c3481e', '439121e0e2447e52ea257140018eea188650e14c603574257e934f0bd17f44fa'),
        'random_wall_validation': ('da8ea9106c9c23cd4a5b5dce72b09264b5d647406fcdd42f78b46f93d02d092c', '03bbba3638ac2368e8f0a6e3e1d06325df7dbd06948a61310b29085bf3eeed2a'),
        'new_wall_validation': ('e97e9ae47fc9eb6727bff3498911a5dcebe235f628f2dc9010a22c04d47218db', '248b46041c482d796c4561e793993bc71acc18541a7c67d0d07db660775270fb'),
        'fixed_wall_v1': ('2c18212cb963a272324516f23d0f03672b1b696cb96c9ad6933726e02582cf0c', '7158519aa82f598deb0f1726c2177e6afa22c86c4a13afda76a0a354c3501e07'),
        'random_wall_v1': ('fd5ec358312ee52da19060e4c4340ba6bf9232f1a75183ae4f06f4e1cbf443c7', '201910af51e913d1eb0bae349a4dd270ca9732bb8c98ea1e50f17ec8d8e4329f'),
        'new_wall_v1': ('3b9cfda82843316862e641a99f9686335774f4515288878ccb14499c55dd11d0', '303d5fe3d2af088ead8f97690a8e787a177c5db5ac795724abb7f5dd6b224833'),
        'fixed_wall_v2': ('fb2480c5886920912f5d9fb867f909dbdb996804735fb5ab726698fc3fded748', '3b18a2e61a1151595481af1fedaa24e75fd73fe583a2f9dfd354981af0b877c5'),
        'random_wall_v2': ('7635ff11ff06722160abb3335065120fe28791659c8b52ce9de07742e2ddd4af', '37bdb9c963ec97668f57360c9ebd0a9dbc62be28e8595e4f72a495df0691535c'),
        'new_wall_v2': ('f95167f4f0afbedbfa97566962f587a2f60d2bb5e454e181da5d15e4daa7a6d9', '1fe2e1c34573a9c88551a74d42e448fd6f70a4f712f75ab2e4f7072e2f717f2c'),
        'published_v1': ('b8f73fe1dc81af339a9ef687828fcec7b5e0bbbd860ac787fdf09b180c2970fa', '24ac85ba89d4d56ddd89e186949bdd3a725f7c88694a177242ce0cad920c7fc1')}

@pytest.mark.promise('Tasks from a seed are the same on every machine and in every version; so are the held-out tasks, their files, and what their seeds give when drawn anew.', sets=(15, 15))
def test_tasks_are_what_they_always_were(size, record_property):
    from jepa_tutorial.planning.episodes import sample_tasks
    from jepa_tutorial.tools.tasks import HELD_OUT, OPEN, PUBLISHED, TASKS, load_tasks, world_tasks
    for (n, fixed, seed), want in DRAWN.items(): assert fingerprint(sample_tasks(n, fixed=fixed, seed=seed)) == want, (n, fixed, seed)
    assert [*SETS] == [*OPEN, *HELD_OUT, PUBLISHED] and len(DRAWN) + len(SETS) == size['sets']
    for name, (tasks, file) in SETS.items():
        assert hashlib.sha256((TASKS/f'{name}.npz').read_bytes()).hexdigest() == file, f'the file of {name} has changed'
        assert fingerprint(load_tasks(name, final=True)) == tasks
    for name, seed in (HELD_OUT | OPEN).items(): assert fingerprint(world_tasks(name.rsplit('_', 1)[0], 1000, seed)) == SETS[name][0]
    record_property('tasks', sum(n for n, _, _ in DRAWN) + 9020)

def test_tasks_follow_from_pcg64_alone():
    "The first task of seed 0 from a PCG64 of our own (O'Neill 2014, the 128-bit XSL-RR member), started from NumPy's own state."
    import numpy as np
    from jepa_tutorial.planning.episodes import sample_tasks
    s = np.random.PCG64(0).state['state']; state, inc, u = s['state'], s['inc'], []
    for _ in range(7):
        state = (state*0x2360ed051fc65da44385df649fccf645 + inc) % 2**128
        x, r = (state >> 64) ^ state & (2**64 - 1), state >> 122
        u.append((((x >> r) | (x << (64 - r))) % 2**64 >> 11)/2**53)
    t = sample_tasks(1)
    wall, door = 20 + int(25*u[0]), 10 + int(45*u[1])
    left = (6.6 + u[2]*(wall - 10.2), 6.6 + u[3]*50.8); right = (57.4 - u[4]*(57.4 - 3.6 - wall), 6.6 + u[5]*50.8)
    start, goal = (right, left) if u[6] < .5 else (left, right)
    assert (t.layout.wall_x.item(), t.layout.door_y.item()) == (wall, door)
    assert np.allclose(t.start, [start], atol=1e-5) and np.allclose(t.goal, [goal], atol=1e-5)
