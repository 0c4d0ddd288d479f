"Torch's global defaults, which a program may change, change nothing of what the library makes. Run as a program, this file is the process that its own tests start."
import os, subprocess, sys
from pathlib import Path
import pytest

DEFAULTS = ['float64', 'bfloat16', 'float16', 'meta']

def tour(folder: Path) -> dict:
    "Something of everything: name -> tensors."
    import numpy as np, torch
    from jepa_tutorial.losses import Objective, Projector, covariance_loss, time_similarity_loss, variance_loss
    from jepa_tutorial.model import JEPA, GRUPredictor, ImpalaEncoder, Normalizer
    from jepa_tutorial.planning import CEM, load_planner, make_cost, oracle, random_actions, run_episodes, run_policy, sample_tasks, straight_line, success_rate
    from jepa_tutorial.tools.config import load_config
    from jepa_tutorial.tools.devices import float32, rng
    from jepa_tutorial.tools.fingerprints import digest, planner_digest, training_digest, world_digest
    from jepa_tutorial.tools.inspecting import wall_penetration
    from jepa_tutorial.tools.bench import plain_clip
    from jepa_tutorial.tools.evaluation import summary
    from jepa_tutorial.tools.statistics import task_interval
    from jepa_tutorial.training import PositionProbe, fit_probe, load_pretrained, noise_like, refine, unroll_eval
    from jepa_tutorial.training.settings import RefineConfig
    from jepa_tutorial.training.checkpoints import load_trained, save_trained
    from jepa_tutorial.training.learner import Learner, train_step
    from jepa_tutorial.training.resuming import load_state, save_state
    from jepa_tutorial.world import TrajectoryConfig, move, render, sample_clips, sample_layouts, sample_start_goal, sample_trajectories
    from jepa_tutorial.world.environment import TwoRoomsEnv, TwoRoomsVectorEnv
    from jepa_tutorial.world.trajectories import put_inside, sample_actions, sample_beside_wall, sample_door_points, sample_near_door, sample_turns, truncated_normal, turning_map
    from jepa_tutorial.world.two_rooms import sample_free
    out, layout = {}, sample_layouts(8, generator=rng(0))
    out['layouts'] = [*layout, *sample_layouts(3, fixed=True)]
    out['places'] = [sample_free(layout, generator=rng(1)), *sample_start_goal(layout, generator=rng(2)), sample_near_door(layout, generator=rng(3)),
                     *sample_beside_wall(layout, generator=rng(4)), *sample_door_points(layout, generator=rng(5))]
    place, action = out['places'][0], 4*torch.randn(8, 2, generator=rng(6), dtype=torch.float32, device='cpu')
    out['moves'] = [move(place, action, layout, contact=c, generator=rng(7)) for c in ('stop', 'bounce')] + [render(place, layout), put_inside(place + action, layout)]
    out['turns'] = [turning_map(3.), sample_turns((4, 5), generator=rng(8)), truncated_normal((9,), 0., 1., -1., 2., rng(9)), truncated_normal((2,), 0., 0., -1., 1., rng(9)), sample_actions(3, 4, generator=rng(10))]
    clips = sample_clips(6, TrajectoryConfig(door_start=.3, wall_start=.3, straight=.3), rng(11))
    out['clips'] = [clips.obs, clips.action, clips.position, *clips.layout, *sample_trajectories(4, generator=rng(12))[:2], *map(torch.zeros_like, plain_clip(TrajectoryConfig(), rng(13))), noise_like(clips.action, rng(14))]
    for name, env in dict(room=TwoRoomsEnv(contact='bounce'), rooms=TwoRoomsVectorEnv(1, contact='bounce', max_steps=3)).items():
        obs, info = env.reset(seed=0)
        steps = [env.step(np.array([[2., 1.]])) for _ in range(5)]
        named = env.reset(options=dict(layout=(32., 18.), start=[20, 30], goal=np.array([50., 40.])))
        out[name] = [torch.from_numpy(np.asarray(x)) for x in (obs, info['goal'], named[0], named[1]['position'], *(s[0] for s in steps), *(s[4]['position'] for s in steps))]
    tasks = sample_tasks(4, seed=3)
    out['tasks'] = [*tasks.layout, *tasks[1:]]
    out['policies'] = [run_policy(p, tasks, 6, 'bounce', rng(15)).position for p in (oracle, straight_line, random_actions)]
    with float32(), torch.random.fork_rng(devices=[]), torch.device('cpu'):
        torch.manual_seed(0)
        jepa = JEPA(ImpalaEncoder(channels=(2, 2), dim=8), GRUPredictor(8)).eval()
        objective, z = Objective(8, projector=Projector(8, [8, 8])), torch.randn(3, 4, 8, requires_grad=True)
    torch.manual_seed(0)
    alike = [ImpalaEncoder(channels=(2,), dim=4), GRUPredictor(4), PositionProbe(4), Projector(4, [4, 4]), Objective(4), Normalizer()]
    if torch.get_default_device().type != 'meta': out['weights'] = [p.detach() for m in alike for p in m.state_dict().values()]
    with torch.no_grad(): out['embeddings'] = [e := jepa.encode(clips.obs), jepa.unroll(e[:, 0], clips.action), *jepa(clips.obs, clips.action)]
    out['losses'] = [f(z) for f in (covariance_loss, time_similarity_loss, variance_loss)] + [objective(jepa, clips.obs, clips.action)[0]]
    out['slopes'] = [*torch.autograd.grad(sum(out['losses'][:3]), z)]
    learner = Learner(load_config('quick', 'optim.batch=4', 'data.clip=6', 'model.dim=8', 'model.channels=[2,2]', 'loss.delta_final=1', 'loss.projector=[8,8]'), 'cpu')
    for _ in range(2): values = train_step(learner)
    save_state(learner, folder)
    again = Learner(learner.cfg, 'cpu'); load_state(again, folder)
    out['training'] = [*(v for v in values.values()), *(p for m in again.modules.values() for p in m.state_dict().values()), *train_step(again).values()]
    shipped = load_pretrained('quick', 'cpu')
    save_trained(folder/'model', shipped)
    seen = load_trained(folder/'model', 'cpu').jepa.encode(clips.obs[:, 0])
    out['shipped'] = [seen, torch.tensor(wall_penetration(shipped, True, 8), dtype=torch.float64, device='cpu')]
    out['unrolled'] = [x for x in unroll_eval(shipped.jepa, shipped.probe, clips, rng(16))[:5]]
    fast = load_planner('plan_fast', 'horizon=6', 'num_samples=20', 'num_elites=4', 'keep_elites=2', 'stuck_noise=true', 'revisit_weight=1')
    out['plans'] = [*(p.plan(make_cost(shipped.jepa, seen[:2], seen[2:4]), rng(17), 2)[i] for i in (0, 1, 2) for p in (fast.search, CEM(20, 2, 4, 5, restarts=2, proposal_correlation=.5)))]
    out['episodes'] = [run_episodes(shipped.jepa, tasks, fast, 3, generator=rng(18)).position]
    probe = fit_probe(shipped.probe, seen, shipped.jepa.normalizer.position(clips.position[:, 0]), 2, 4, generator=rng(19))
    out['probe'] = [p.detach() for p in probe.parameters()]
    refined = refine(shipped, RefineConfig(clips=4, frames=5, steps=3, updates=2, batch=2), True)
    out['refined'] = [p.detach() for p in refined.jepa.predictor.parameters()]
    numbers = [*digest(place), *world_digest('random_wall'), *training_digest('quick'), *planner_digest('plan_fast'), *summary([(3., 1., 2), (5., 5., -1)], 1.).values()][:-1]
    result = dict(success=.5, episodes=4, failed=[0, 1], tasks='a')
    numbers += [*task_interval([result]), *success_rate(torch.from_numpy(np.array([True, False])))]
    out['numbers'] = [torch.tensor([float(v) for v in numbers], dtype=torch.float64, device='cpu')]
    return out

if __name__ == '__main__':
    import torch
    name, path = sys.argv[1:]
    if name == 'meta': torch.set_default_device('meta')
    elif name != 'none': torch.set_default_dtype(getattr(torch, name))
    made = {k: [x.detach() for x in v] for k, v in tour(Path(path).parent).items()}
    torch.save(made, path)
    sys.exit()

@pytest.fixture(scope='module')
def made(tmp_path_factory):
    "default -> what the tour makes under it."
    import torch
    def under(name):
        path = tmp_path_factory.mktemp(name)/'made.pt'
        env = {**os.environ, 'JEPA_DEVICE': 'cpu', 'OMP_NUM_THREADS': '1'}
        done = subprocess.run([sys.executable, __file__, name, str(path)], capture_output=True, text=True, env=env)
        assert not done.returncode, done.stderr
        return torch.load(path)
    return under

@pytest.fixture(scope='module')
def usual(made): return made('none')

@pytest.mark.parametrize('name', DEFAULTS)
def test_torchs_defaults_change_nothing(made, usual, name):
    import torch
    got = made(name)
    assert got.keys() >= usual.keys() - {'weights'}
    for part in got:
        for i, (x, y) in enumerate(zip(got[part], usual[part], strict=True)):
            assert x.dtype == y.dtype and x.device == y.device, f'{part} {i} is {x.dtype} on {x.device} under {name}'
            assert torch.equal(x, y), f'{part} {i} differs under {name}'
