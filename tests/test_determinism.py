"What repeats to the bit, what is only close, and by how much. Run as a program, this file is the fresh process that its own tests start."
import hashlib, json, os, subprocess, sys
from pathlib import Path
import pytest

def results(steps: int) -> dict:
    "What a process makes of seeds, a few steps of everything: name -> tensors. Generators are explicit, as everywhere in the book."
    import torch
    from jepa_tutorial.checkpoints import load_pretrained
    from jepa_tutorial.core import load_config, rng
    from jepa_tutorial.planning import load_planner, make_cost, run_episodes, sample_tasks
    from jepa_tutorial.probing import PositionProbe, embed, fit_probe
    from jepa_tutorial.training import Learner, train_step
    from jepa_tutorial.trajectories import sample_clips, sample_trajectories
    from jepa_tutorial.two_rooms import render
    out, walks, clips, tasks = {}, sample_trajectories(300, generator=rng(0)), sample_clips(24, generator=rng(1)), sample_tasks(6, fixed=True, seed=5)
    out['trajectories'], out['pictures'], out['tasks'] = [*walks[:2], *walks.layout, clips.action, clips.position], [clips.obs], [*tasks.layout, *tasks[1:]]
    learner = Learner(load_config('quick', 'optim.batch=8'), 'cpu')
    for _ in range(steps): values = train_step(learner)
    out['losses'] = [torch.stack(list(values.values())).float()]
    out['trained weights'] = [p.detach() for m in learner.modules.values() for p in m.parameters()]
    jepa, _, _ = load_pretrained('quick', 'cpu')
    out['embeddings'] = [z := embed(jepa, clips.obs)]
    z0, goal = (embed(jepa, render(p, tasks.layout)[:, None])[:, 0] for p in tasks[1:])
    plan = load_planner('plan_fast', 'horizon=20').plan(make_cost(jepa, z0, goal), rng(7), 6)
    out['plans'] = [*plan[:3], plan.elites]
    out['episodes'] = [run_episodes(jepa, tasks, load_planner('plan_fast', 'horizon=12'), 2*steps, generator=rng(3)).position]
    with torch.random.fork_rng(): torch.manual_seed(0); probe = PositionProbe(z.shape[-1])
    fit_probe(probe, z, jepa.normalizer.position(clips.position), steps=5*steps, generator=rng(2))
    out['probe'] = [p.detach() for p in probe.parameters()]
    return out

def disturb(how: str):
    "What must not matter, before anything else is imported or drawn."
    if 'imports' in how: import matplotlib.pyplot, jepa_tutorial.sweeps, jepa_tutorial.planning.episodes, jepa_tutorial.two_rooms, jepa_tutorial.core
    import random, numpy, torch
    if 'chance' in how: random.random(); numpy.random.seed(5); numpy.random.rand(7); torch.manual_seed(99); torch.randn(1001)
    if 'float32' in how or 'bfloat16' in how:
        import jepa_tutorial.core, jepa_tutorial.planning.fast
        for m in (jepa_tutorial.core, jepa_tutorial.planning.fast): m.amp_dtype = lambda device: torch.bfloat16 if 'bfloat16' in how else None

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
        env = {**os.environ, 'JEPA_DEVICE': 'cpu', 'OMP_NUM_THREADS': str(threads), 'MKL_NUM_THREADS': str(threads), **env}
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

@pytest.mark.promise('The same seeds give the same bits in every fresh process on a machine: trajectories, pictures, tasks, trained weights, plans, episodes, probe; whatever was imported or drawn before.',
                     processes=(3, 13), steps=(3, 20))
def test_a_fresh_process_repeats_every_bit(tmp_path, size, record_property):
    cases = [dict(), dict(how='imports chance', PYTHONHASHSEED='1'), dict(how='imports', PYTHONHASHSEED='2'), dict(how='chance', PYTHONHASHSEED='3')]
    want, made = Fresh(tmp_path, size['steps']).get(), 1
    while made < size['processes']:
        pair = [Fresh(tmp_path, size['steps'], **cases[(made + i) % 4]) for i in range(2)]
        for case in pair: assert compare(case.get(), want) == dict.fromkeys(want, 0.)
        made += len(pair)
    record_property('values_compared', sum(x.numel() for v in want.values() for x in v)*(made - 1))

def settings_that_matter():
    "name -> (how the two processes differ, the largest difference allowed in losses, in trained weights, and in embeddings)."
    old = dict(ATEN_CPU_CAPABILITY='default', ONEDNN_MAX_CPU_ISA='SSE41', MKL_ENABLE_INSTRUCTIONS='SSE4_2')
    return {'two threads, float32': (dict(how='float32', threads=2), dict(how='float32')), 'two threads, bfloat16': (dict(how='bfloat16', threads=2), dict(how='bfloat16')),
            'bfloat16 for float32': (dict(how='bfloat16'), dict(how='float32')), 'an older processor': (dict(how='float32', **old), dict(how='float32'))}
