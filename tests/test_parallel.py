"One run in two processes: its losses and gradients are those of one process with the whole batch."
import json, os, subprocess, sys
import pytest, torch
from jepa_tutorial.tools.config import load_config
from jepa_tutorial.training import distributed
from jepa_tutorial.training.distributed import DistributedLearner
from jepa_tutorial.training.resuming import load_state, read_metrics

pytestmark = pytest.mark.skipif(not torch.distributed.is_available() or not torch.distributed.is_gloo_available(), reason='this build of torch has no gloo')
TINY = ['model.channels=[4,4]', 'model.dim=16', 'data.steps=20', 'data.clip=5', 'loss.rollout=4', 'loss.start=first',
        'optim.batch=8', 'optim.epoch_steps=10', 'optim.epochs=2', 'eval.unroll_every=10', 'eval.unroll_clips=4', 'save_every=5']

def torchrun(n, script, *args):
    "The same script in `n` processes."
    script.write_text('from jepa_tutorial.tools import devices\ndevices.amp_dtype = lambda device: None\n' + SCRIPTS[script.stem])
    start = ['-m', 'torch.distributed.run', '--standalone', '--nproc-per-node', str(n)] if n > 1 else []
    return subprocess.run([sys.executable, *start, str(script), *map(str, args)],
                          capture_output=True, text=True, env={**os.environ, 'OMP_NUM_THREADS': '1'})

SCRIPTS = dict(jepa_train='from jepa_tutorial.tools.commands import jepa_train\njepa_train()\n', step='''
import json, sys, torch
from jepa_tutorial.losses.objective import Objective
from jepa_tutorial.losses.variance_covariance import covariance_loss, variance_loss
from jepa_tutorial.training.distributed import DistributedLearner, all_gather, rank, process_group
from jepa_tutorial.tools.config import load_config
from jepa_tutorial.training.learner import Learner

with process_group('cpu'):
    # the gather alone, against a joint computation on weights that differ by process
    x = torch.randn(8, 3, 5, dtype=torch.double, generator=torch.Generator().manual_seed(0))
    w = torch.randn(2, 8, 3, 5, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    own = x.chunk(2)[rank()].clone().requires_grad_()
    (all_gather(own)*w[rank()]).sum().backward()
    assert torch.equal(all_gather(own.detach()), x) and torch.allclose(own.grad, w.sum(0).chunk(2)[rank()])
    # a whole step, for each setting
    far = {}
    for overrides in json.loads(sys.argv[1]):
        cfg = load_config('quick', *overrides)
        alone, shared = Learner(cfg, 'cpu'), DistributedLearner(cfg, 'cpu')
        for _ in range(2):                                   # the second step starts from weights that optimizer_step() made
            values, joint = alone.backward(), shared.backward()
            for k in values: assert abs(values[k] - joint[k]) <= 2e-5*max(1., abs(values[k])), (overrides, k, values[k], joint[k])
            size = sum(p.grad.square().sum() for m in alone.modules.values() for p in m.parameters() if p.grad is not None).sqrt()
            for (name, p), q in zip([*alone.jepa.named_parameters(), *alone.objective.named_parameters(), *alone.probe.named_parameters()],
                                    [*shared.jepa.parameters(), *shared.objective.parameters(), *shared.probe.parameters()]):
                assert (p.grad is None) == (q.grad is None), name
                if p.grad is not None: far[name] = max(far.get(name, 0.), ((p.grad - q.grad).norm()/p.grad.norm().clamp(min=1e-3*size)).item())   # a bias before a batch norm has nothing but rounding
            alone.optimizer_step(); shared.optimizer_step()
            shared.jepa.load_state_dict(alone.jepa.state_dict())  # Adam turns the rounding of tiny gradients into steps
            shared.objective.load_state_dict(alone.objective.state_dict()); shared.probe.load_state_dict(alone.probe.state_dict())
    if rank() == 0: print(json.dumps(far))
''')

def test_losses_and_gradients_are_those_of_one_process(tmp_path):
    settings = [[*TINY, *more] for more in ([], ['loss.pool=time'], ['loss.start=every'], ['loss.omega=0'], ['loss.projector=[16,16]', 'loss.project_time=true', 'loss.project_idm=true'])]
    done = torchrun(2, tmp_path/'step.py', json.dumps(settings))
    assert done.returncode == 0, done.stderr
    far = json.loads(done.stdout)
    assert len(far) > 20 and max(far.values()) < 1e-4, {k: v for k, v in far.items() if v >= 1e-4}

def test_a_shared_run_is_the_run_of_one_process(tmp_path):
    "Trained for ten steps by two processes and ten more by one, it logs what one process logs; only one process writes."
    run = lambda n, out, *more: torchrun(n, tmp_path/'jepa_train.py', 'quick', *TINY, '--device', 'cpu', '--json', '--out', out, *more)
    alone = run(1, tmp_path/'one'); assert alone.returncode == 0, alone.stderr
    both = run(2, tmp_path/'two'); assert both.returncode == 0, both.stderr
    assert len(both.stdout.strip().splitlines()) == 1 and json.loads(both.stdout)['steps'] == 20
    names = lambda f: sorted(p.name for p in f.iterdir())
    assert names(tmp_path/'one') == names(tmp_path/'two')
    a, b = read_metrics(tmp_path/'one'), read_metrics(tmp_path/'two')
    assert [r['step'] for r in a] == [r['step'] for r in b] == [10, 20]
    for r, q in zip(a, b):
        for k in ('total', 'prediction', 'variance', 'covariance', 'time_similarity', 'inverse_dynamics', 'probe'): assert abs(r[k] - q[k]) < 2e-3*max(1, abs(r[k])), (k, r, q)
    learner = DistributedLearner(load_config("quick", *TINY), "cpu")           # a state made by two is continued by one
    load_state(learner, tmp_path/'two'); assert learner.step == 20

def test_a_batch_that_cannot_be_shared_is_one_line(monkeypatch):
    monkeypatch.setattr(distributed, 'world_size', lambda: 2)
    with pytest.raises(ValueError, match='optim.batch=7 cannot be shared by 2 processes; take a multiple of 2'): DistributedLearner(load_config('quick', *TINY, 'optim.batch=7'), 'cpu')
