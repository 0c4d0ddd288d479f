"Whatever a public function is given, it answers rightly or refuses in one line; and what it answers has the properties that theory promises."
import ast, importlib, math, sys, warnings
from functools import lru_cache, partial
from inspect import signature
from pathlib import Path
from types import SimpleNamespace
import numpy as np, pytest, torch
from hypothesis import HealthCheck, given, settings, strategies as st
from jepa_tutorial.tools.config import load_config
from jepa_tutorial.tools.devices import rng
from jepa_tutorial.model.normalizer import Normalizer
from jepa_tutorial.tools.site import public_names

def examples(n):
    "As many generated inputs, the same in every run."
    return settings(max_examples=n, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))

# ── things to call with ─────────────────────────────────────────────────────────────────────────────────────────

@lru_cache
def module(names):
    "A module, or several that are read as one: 'tools.devices+tools.config'."
    found = [importlib.import_module(f'jepa_tutorial.{n}') for n in names.split('+')]
    return found[0] if len(found) == 1 else SimpleNamespace(**{k: v for m in found for k, v in vars(m).items()})
def t(*shape): return torch.rand(*shape, generator=rng(sum(shape)))
def places(*shape): return t(*shape, 2)*10 + 10                  # on the floor of the left room
B, T, D, A, N = 3, 5, 8, 2, 6

@lru_cache
def jepa():
    from jepa_tutorial.model.encoder import ImpalaEncoder
    from jepa_tutorial.model.jepa import JEPA
    from jepa_tutorial.model.predictor import GRUPredictor
    return JEPA(ImpalaEncoder(channels=(2, 2), dim=D), GRUPredictor(D)).eval().requires_grad_(False)

@lru_cache
def probe(): return module('training.probing').PositionProbe(D, 4).requires_grad_(False)

@lru_cache
def card(): return module('training.checkpoints').load_pretrained('quick', 'cpu').card

def layout(n=B): return module('world.two_rooms+world.environment').Layout(torch.full((n,), 32), torch.full((n,), 18))
def rooms(): return module('world.two_rooms+world.environment').Rooms()
def cfg(): return module('world.trajectories').TrajectoryConfig(steps=6, clip=4)
def images(*shape): return module('world.two_rooms+world.environment').render(places(*shape), module('world.two_rooms+world.environment').Layout(torch.tensor(32), torch.tensor(18)))
def clips():
    c = module('world.trajectories').sample_clips(2, cfg(), rng(0))
    return c
def tasks(): return module('planning.episodes+planning.agent').sample_tasks(2, fixed=True)
def small(*overrides): return load_config('quick', 'model.dim=8', 'model.channels=[2,2]', 'data.steps=6', 'data.clip=4', 'loss.rollout=2', 'optim.batch=2', 'optim.epoch_steps=1', 'optim.epochs=1', 'eval.unroll_every=0', *overrides)
def search(**more): return module('planning.cem').CEM(**{**dict(num_samples=N, iterations=2, num_elites=3, horizon=4), **more})
def planner(**more): return module('planning.agent').Planner(search(**more))
def quadratic(plans): return plans.square().sum((-1, -2))
def idm(): return module('losses.inverse_dynamics').InverseDynamics(D, A, 4)
def objective(): return module('losses.objective').Objective(rollout=2, idm=idm())
def film(): return module('training.unrolling').unroll_eval(jepa(), probe(), clips(), rng(0))
def axes():
    from matplotlib.figure import Figure
    return Figure(figsize=(1, 1)).subplots()
def picture(n): from matplotlib.figure import Figure; return Figure(figsize=(1, 1))

# ── and what may be wrong with them ─────────────────────────────────────────────────────────────────────────────

def wrong_tensors(x):
    "A tensor in all the shapes, kinds and places that nobody meant."
    yield from (None, 'a', 3, x.tolist(), x.numpy(), [None], object())
    yield from (x[:0], x[None], x[..., None], x.flatten(), x.sum(), torch.cat([x, x]))
    if x.ndim: yield from (x[0], x[..., :-1], torch.cat([x, x[..., -1:]], -1), x.movedim(0, -1))
    if x.ndim > 1: yield from (x[:, :0], torch.cat([x, x], 1), x.transpose(0, 1))
    yield from (x.to(k) for k in (torch.int32, torch.bool, torch.float64, torch.complex64, torch.half, torch.uint8))
    yield from (x.to('meta'), x.to_sparse())
    if x.is_floating_point():
        for v in (math.nan, math.inf, -math.inf, 1e30, -1e30):
            y = x.clone(); y.view(-1)[-1:] = v
            yield y
        yield from (x*0, x + 1e4)

def wrong_layouts(x):
    Layout = type(x)
    yield from (None, 'a', 3, (32, 18), [32, 18], Layout(32, 18), Layout(None, None), Layout('a', 'b'), torch.tensor([32, 18]))
    for v in (0, 4, 5, 63, 64, -20, 1000, 32.5, math.nan, math.inf): yield from (Layout(torch.full_like(x.wall_x, v) if v == v and v % 1 == 0 else torch.full((len(x.wall_x),), v), x.door_y), Layout(x.wall_x, torch.full((len(x.wall_x),), float(v))))
    yield from (Layout(*(v[:0] for v in x)), Layout(*(torch.cat([v, v]) for v in x)), Layout(x.wall_x, x.door_y[:1]), Layout(*(v.to('meta') for v in x)), Layout(*(v.bool() for v in x)), Layout(*(v[None] for v in x)))

NUMBERS = (0, -1, 1, 2, 2.5, -2.5, True, None, '3', math.nan, math.inf, -math.inf, 10**12, 2**70, -2**70, 1e300, 1j, [1], np.float32(2), torch.tensor(2.), torch.tensor([1., 2.]))
WORDS = ('', 'nonsense', 'STOP', 'sum ', None, 3, True, ['stop'], ('sum',), b'stop', 'ä\0', '../x', 'x'*500)
THINGS = (None, 3, 'a', 2.5, [], {}, (), object(), torch.zeros(2), SimpleNamespace())

def wrong(value):
    "What could be given in the place of a right value."
    if isinstance(value, torch.Tensor): return list(wrong_tensors(value))
    if type(value).__name__ == 'Layout': return list(wrong_layouts(value))
    if isinstance(value, bool) or value is None: return []
    if isinstance(value, (int, float)): return list(NUMBERS)
    if isinstance(value, str): return list(WORDS)
    if isinstance(value, torch.device): return ['tpu', '', 'cuda:99', 'meta', 3.5, [], 'cpu:x', torch.device('meta')]
    if isinstance(value, tuple) and hasattr(value, '_fields'): return [*THINGS, *(value._replace(**{k: w}) for k in value._fields for w in wrong(getattr(value, k)))]
    return list(THINGS)

# ── what each public name is tried with ─────────────────────────────────────────────────────────────────────────
# name: the function, its right arguments, and optionally a property of any answer that it gives

def overridden(load):
    "With one override, by a name of its own."
    def loaded(name_or_path, override): return load(name_or_path, override)
    return loaded

def shaped(*shape): return lambda r, **kw: r.shape == shape or (tuple(r.shape), shape)

def cases():
    w, tr, en, pr, je = map(module, 'world.two_rooms+world.environment world.trajectories model.encoder model.predictor model.jepa'.split())
    un, ck, tn, rf, pl, sw, rp = map(module, 'training.unrolling training.checkpoints training.learner+training.resuming training.refining tools.plotting+tools.widgets+tools.architecture tools.sweeps tools.tasks+tools.rows+tools.reproduce'.split())
    pb, co, ce, mp, ep, fa = map(module, 'training.probing planning.cost planning.cem planning.mppi planning.episodes+planning.agent planning.fast'.split())
    core, lo, ob, iv, vc, ts = map(module, 'tools.devices+tools.checks+tools.config+model.normalizer losses losses.objective losses.inverse_dynamics losses.variance_covariance losses.time_similarity'.split())
    cpu, g, inside = torch.device('cpu'), lambda: rng(0), lambda r, **kw: bool(((r > 4) & (r < 60)).all())
    scalar = lambda r, **kw: r.shape == () and (not r.isfinite() or r >= 0 or r.item())
    norm, cell, gru = Normalizer(), pr.GRUCell(A, D).requires_grad_(False), pr.GRUPredictor(D).requires_grad_(False)
    cem, plan = search(keep_elites=1, explore_fraction=.3), lambda: search(keep_elites=1).plan(quadratic, rng(0), B)
    env = lambda **kw: w.TwoRoomsEnv(**kw).reset(seed=0)[0]
    envs = lambda **kw: w.TwoRoomsVectorEnv(**kw).reset(seed=0)[0]
    def stepped(action):
        e = w.TwoRoomsEnv(); e.reset(seed=0); return torch.as_tensor(e.step(action)[4]['position'])
    def all_stepped(action):
        e = w.TwoRoomsVectorEnv(B); e.reset(seed=0); return torch.as_tensor(e.step(action)[4]['position'])
    def reset(**options): return torch.as_tensor(w.TwoRoomsEnv().reset(seed=0, options=options)[1]['position'])
    yield 'tools.devices.amp_dtype', core.amp_dtype, dict(device=cpu)
    yield 'tools.devices.autocast', core.autocast, dict(device=cpu)
    yield 'tools.devices.can_graph', core.can_graph, dict(device=cpu)
    yield 'tools.devices.can_compile', core.can_compile, dict(device=cpu)
    yield 'tools.devices.constant', lambda values: core.constant(values, cpu), dict(values=(1., 2.))
    yield 'tools.devices.rng', core.rng, dict(seed=3, device=cpu)
    yield 'tools.devices.seed_all', core.seed_all, dict(seed=3)
    yield 'tools.config.load_config', overridden(core.load_config), dict(name_or_path='quick', override='optim.lr=1')
    yield 'model.normalizer.Normalizer', core.Normalizer, dict(obs_mean=(0., 1.), obs_std=(1., 1.), position_mean=(0., 0.), position_std=(1., 1.))
    yield 'model.normalizer.Normalizer obs', norm.obs, dict(images=images(B))
    yield 'model.normalizer.Normalizer position', norm.position, dict(xy=places(B))
    yield 'model.normalizer.Normalizer inverse_position', norm.inverse_position, dict(p=t(B, 2))
    yield 'world.two_rooms.Rooms', w.Rooms, dict(img_size=65, border=5, wall_width=3, door_space=4, wall_padding=20, door_padding=10, dot_std=1.3, max_norm=2.45, wall_x=32, door_y=18), lambda r, **kw: r.img_size > 999 or w.render(torch.tensor([[r.low + 2., r.low + 2.]]), w.sample_layouts(1, r, generator=rng(0)), r).shape[-1] == r.img_size
    yield 'world.two_rooms.sample_layouts', w.sample_layouts, dict(n=B, rooms=rooms(), generator=g(), device=cpu), lambda r, n, **kw: len(r.wall_x) == n
    yield 'world.two_rooms.is_blocked', w.is_blocked, dict(position=places(B), action=t(B, 2), door=places(B), rooms=rooms()), lambda r, **kw: r.dtype == torch.bool
    yield 'world.two_rooms.contact_point', w.contact_point, dict(position=places(B), action=t(B, 2)*60, door=torch.full((B, 2), 32.), rooms=rooms())
    yield 'world.two_rooms.move', w.move, dict(position=places(B), action=t(B, 2), layout=layout(), rooms=rooms(), contact='stop', generator=g()), lambda r, position, **kw: r.shape == position.shape
    yield 'world.two_rooms.move bounce', partial(w.move, contact='bounce'), dict(position=places(B), action=t(B, 2)*60, layout=layout(), generator=g()), lambda r, position, **kw: r.shape == position.shape
    yield 'world.two_rooms.sample_free', w.sample_free, dict(layout=layout(), rooms=rooms(), margin=.5, generator=g()), inside
    yield 'world.two_rooms.sample_start_goal', w.sample_start_goal, dict(layout=layout(), rooms=rooms(), margin=2.6, generator=g()), lambda r, **kw: all(inside(x) for x in r)
    yield 'world.two_rooms.draw_walls', w.draw_walls, dict(layout=layout(), rooms=rooms()), lambda r, **kw: r.dtype == torch.uint8 and r.shape[-2:] == (65, 65)
    yield 'world.two_rooms.paint_dots', w.paint_dots, dict(canvas=torch.zeros(B, 65*65, dtype=torch.uint8), position=places(B), rooms=rooms())
    yield 'world.two_rooms.render', w.render, dict(position=places(B), layout=layout(), rooms=rooms(), walls=w.draw_walls(layout())), lambda r, position, **kw: r.shape == (*position.shape[:-1], 2, 65, 65)
    yield 'world.environment.TwoRoomsEnv', env, dict(rooms=rooms(), contact='stop', max_steps=9, render_mode='rgb_array')
    yield 'world.environment.TwoRoomsEnv reset', reset, dict(layout=(32, 18), start=(20., 30.), goal=(50., 40.)), inside
    yield 'world.environment.TwoRoomsEnv step', stepped, dict(action=t(2)), inside
    yield 'world.environment.TwoRoomsVectorEnv', envs, dict(num_envs=2, rooms=rooms(), contact='stop', max_steps=9, device=cpu)
    yield 'world.environment.TwoRoomsVectorEnv step', all_stepped, dict(action=t(B, 2)), inside
    yield 'world.trajectories.TrajectoryConfig', tr.TrajectoryConfig, dict(data='published', steps=9, clip=4, kappa=5., step_mean=1., step_std=.4, step_min=.2, step_max=1.8, crossing=.3, door_centred=.2, door_start=.2, wall_start=.2, straight=.2, frames=[0, 1, 3]), lambda r, **kw: r.steps > 9000 or tr.sample_clips(2, r, rng(0)).position.isfinite().all()
    yield 'world.trajectories.turning_map', tr.turning_map, dict(kappa=5., device=cpu, nodes=64)
    yield 'world.trajectories.sample_turns', tr.sample_turns, dict(shape=(2, 3), kappa=5., generator=g(), device=cpu), lambda r, shape, **kw: r.shape == tuple(shape) and not (r.abs() > 3.1416).any()
    yield 'world.trajectories.truncated_normal', tr.truncated_normal, dict(shape=(2, 3), mean=1., std=.4, low=.2, high=1.8, generator=g(), device=cpu), lambda r, shape, low, high, **kw: not ((r < low - 1e-4*abs(low)) | (r > high + 1e-4*abs(high))).any()
    yield 'world.trajectories.sample_actions', tr.sample_actions, dict(n=B, steps=4, cfg=cfg(), generator=g(), device=cpu, heading=t(B), at=torch.tensor([0, 1, 2])), lambda r, n, steps, **kw: r.shape == (n, steps, 2)
    yield 'world.trajectories.simulate', tr.simulate, dict(start=places(B), action=t(B, 4, 2), layout=layout(), rooms=rooms()), lambda r, start, action, **kw: r.shape == (len(start), action.shape[1] + 1, 2)
    yield 'world.trajectories.sample_door_points', tr.sample_door_points, dict(layout=layout(), rooms=rooms(), generator=g())
    yield 'world.trajectories.put_inside', tr.put_inside, dict(position=t(B, 2)*99, layout=layout(), rooms=rooms()), inside
    yield 'world.trajectories.sample_near_door', tr.sample_near_door, dict(layout=layout(), rooms=rooms(), reach=6., generator=g()), lambda r, **kw: not (r[:, 1] < 4).any()
    yield 'world.trajectories.sample_beside_wall', tr.sample_beside_wall, dict(layout=layout(), rooms=rooms(), reach=6., generator=g()), lambda r, **kw: not (r[0][:, 1] < 4).any()
    yield 'world.trajectories.sample_trajectories', tr.sample_trajectories, dict(n=B, cfg=cfg(), rooms=rooms(), generator=g(), device=cpu, layout=layout()), lambda r, **kw: inside(r.position)
    yield 'world.trajectories.crosses', tr.crosses, dict(position=places(B, T), layout=layout(), rooms=rooms()), lambda r, **kw: r.dtype == torch.bool
    yield 'world.trajectories.sample_clips', tr.sample_clips, dict(n=2, cfg=cfg(), generator=g(), device=cpu, rooms=rooms()), lambda r, n, **kw: r.obs.shape == (n, 4, 2, 65, 65)
    block, stack, encoder = en.ResidualBlock(2).requires_grad_(False), en.Stack(2, 3).requires_grad_(False), jepa().encoder
    yield 'model.encoder.ResidualBlock', en.ResidualBlock, dict(channels=2)
    yield 'model.encoder.ResidualBlock forward', block, dict(x=t(B, 2, 9, 9)), lambda r, x: r.shape == x.shape
    yield 'model.encoder.Stack', en.Stack, dict(in_channels=2, out_channels=3)
    yield 'model.encoder.Stack forward', stack, dict(x=t(B, 2, 9, 9)), lambda r, x: r.shape == (len(x), 3, (x.shape[2] + 1)//2, (x.shape[3] + 1)//2)
    yield 'model.encoder.ImpalaEncoder', en.ImpalaEncoder, dict(in_channels=2, img_size=9, channels=(2, 3), dim=4), lambda r, img_size, in_channels, dim, **kw: img_size > 99 or in_channels > 99 or r(torch.zeros(1, in_channels, img_size, img_size)).shape == (1, dim)
    yield 'model.encoder.ImpalaEncoder forward', encoder, dict(x=norm.obs(images(B))), lambda r, x: r.shape == (*x.shape[:-3], D)
    yield 'model.predictor.GRUCell', pr.GRUCell, dict(input_size=2, hidden_size=4)
    yield 'model.predictor.GRUCell gates', cell.gates, dict(x=t(B, A), h=t(B, D))
    yield 'model.predictor.GRUCell forward', cell, dict(x=t(B, A), h=t(B, D)), lambda r, x, h: r.shape == h.shape
    yield 'model.predictor.GRUPredictor', pr.GRUPredictor, dict(dim=4, action_dim=2, num_layers=1)
    yield 'model.predictor.GRUPredictor forward', gru, dict(z=t(B, D), a=t(B, A)), lambda r, z, a: r.shape == z.shape
    yield 'model.jepa.JEPA', je.JEPA, dict(encoder=jepa().encoder, predictor=jepa().predictor)
    yield 'model.jepa.JEPA encode', jepa().encode, dict(obs=images(B)), lambda r, obs: r.shape == (*obs.shape[:-3], D)
    yield 'model.jepa.JEPA predict', jepa().predict, dict(z=t(B, D), a=t(B, A)), lambda r, z, a: r.shape == z.shape
    yield 'model.jepa.JEPA unroll', jepa().unroll, dict(z0=t(B, D), actions=t(B, T, A)), lambda r, z0, actions: r.shape == (*actions.shape[:2], D)
    yield 'model.jepa.build_jepa', je.build_jepa, dict(cfg=small().model)
    yield 'model.jepa.prediction_loss', je.prediction_loss, dict(pred=t(B, T, D), target=t(B, T, D)*2), scalar
    yield 'model.jepa.rollout_loss', je.rollout_loss, dict(jepa=jepa(), z=t(B, T, D), actions=t(B, T, A), steps=2, start='first', frames=list(range(T))), scalar
    yield 'losses.collapse.embedding_std', lo.embedding_std, dict(z=t(B, T, D)), lambda r, z: r.shape == z.shape[-1:]
    yield 'losses.variance_covariance.variance_loss', vc.variance_loss, dict(z=t(B, T, D), gamma=1., eps=1e-4, pool='time'), scalar
    yield 'losses.variance_covariance.covariance_loss', vc.covariance_loss, dict(z=t(B, T, D), pool='all'), scalar
    yield 'losses.time_similarity.time_similarity_loss', ts.time_similarity_loss, dict(z=t(B, T, D)), scalar
    yield 'losses.inverse_dynamics.InverseDynamics', iv.InverseDynamics, dict(dim=D, action_dim=A, hidden=4)
    yield 'losses.inverse_dynamics.InverseDynamics forward', idm().requires_grad_(False), dict(z=t(B, D), z_next=t(B, D)), lambda r, z, z_next: r.shape == (*z.shape[:-1], A)
    yield 'losses.inverse_dynamics.inverse_dynamics_loss', iv.inverse_dynamics_loss, dict(idm=idm().requires_grad_(False), z=t(B, T, D), actions=t(B, T, A)), scalar
    yield 'losses.objective.Projector', ob.Projector, dict(dim=D, widths=[4, 4])
    yield 'losses.objective.Projector forward', ob.Projector(D, [4]).requires_grad_(False), dict(z=t(B, T, D)), lambda r, z: r.shape == (*z.shape[:-1], 4)
    yield 'losses.objective.neighbours', ob.neighbours, dict(z=t(B, T, D), actions=t(B, T, A), frames=list(range(T))), lambda r, z, actions, **kw: r[0].shape[1:] == (2, z.shape[2])
    yield 'losses.objective.Objective', ob.Objective, dict(beta=8., alpha=16., delta=12., omega=1., gamma=1., pool='all', rollout=2, start='first')
    yield 'losses.objective.Objective forward', lambda model, obs, actions: objective().requires_grad_(False)(model, obs, actions)[0], dict(model=jepa(), obs=images(B, T), actions=t(B, T, A)), scalar
    yield 'losses.objective.Objective terms', lambda z, actions: objective().requires_grad_(False).terms(jepa(), z, actions)[0], dict(z=t(B, T, D), actions=t(B, T, A)), scalar
    yield 'training.probing.PositionProbe', pb.PositionProbe, dict(dim=D, hidden=4)
    yield 'training.probing.PositionProbe forward', probe(), dict(z=t(B, T, D)), lambda r, z: r.shape == (*z.shape[:-1], 2)
    yield 'training.probing.probe_loss', pb.probe_loss, dict(probe=probe(), z=t(B, D), position_normalised=t(B, 2)), scalar
    yield 'training.probing.embed', pb.embed, dict(jepa=jepa(), obs=images(B, 2), chunk=2), lambda r, obs, **kw: r.shape == (*obs.shape[:-3], D)
    yield 'training.probing.decode', pb.decode, dict(jepa=jepa(), probe=probe(), z=t(B, T, D)), lambda r, z, **kw: r.shape == (*z.shape[:-1], 2)
    yield 'training.probing.probe_error', pb.probe_error, dict(jepa=jepa(), probe=probe(), obs=images(B, 2), position=places(B, 2)), lambda r, **kw: not r < 0
    yield 'training.probing.fit_probe', lambda **kw: pb.fit_probe(pb.PositionProbe(D, 4) if kw['probe'] == 'new' else kw.pop('probe'), **{k: v for k, v in kw.items() if k != 'probe'}), dict(probe='new', z=t(B, D), position_normalised=t(B, 2), steps=2, batch=4, lr=1e-3, generator=g())
    yield 'training.probing.effective_rank', pb.effective_rank, dict(z=t(B, T, D)), lambda r, z: not r > min(z.numel()//z.shape[-1], z.shape[-1]) + .01
    yield 'training.probing.pca', pb.pca, dict(z=t(B, T, D), k=2), lambda r, z, k: r.shape == (*z.shape[:-1], k)
    yield 'training.unrolling.rollout', un.rollout, dict(jepa=jepa(), z0=t(B, D), actions=t(B, T, A)), lambda r, actions, **kw: r.shape == (len(actions), actions.shape[1] + 1, D)
    yield 'training.unrolling.noise_like', un.noise_like, dict(actions=t(B, T, A), generator=g(), sigma=1.), lambda r, actions, **kw: r.shape == actions.shape
    yield 'training.unrolling.unroll_eval', un.unroll_eval, dict(jepa=jepa(), probe=probe(), clips=clips(), generator=g(), sigma=1.), lambda r, clips, **kw: len(r.error) == clips.obs.shape[1]
    yield 'training.unrolling.unroll_frames', un.unroll_frames, dict(unroll=film(), rooms=rooms(), clips=1, scale=1)
    yield 'training.unrolling.crossing_step', un.crossing_step, dict(position=places(B, T), layout=layout())
    yield 'planning.cost.goal_distance', co.goal_distance, dict(z=t(B, D), z_goal=t(B, D), distance='euclidean'), lambda r, **kw: not (r < 0).any()
    yield 'planning.cost.goal_cost', co.goal_cost, dict(jepa=jepa(), z0=t(B, D), z_goal=t(B, D), actions=t(B, N, T, A), reduce='sum', distance='squared'), lambda r, actions, **kw: r.shape == actions.shape[:2]
    yield 'planning.cost.RevisitPenalty', lambda z, **kw: co.RevisitPenalty(**kw)(z), dict(z=t(B, N, D), visited=t(B, 3, D), weight=t(B, 3), width=2.), lambda r, z, **kw: r.shape == z.shape[:2]
    yield 'planning.fast.make_cost', fa.make_cost, dict(jepa=jepa(), z0=t(B, D), z_goal=t(B, D), reduce='sum', distance='euclidean', rows=4)
    yield 'planning.fast.Cost', fa.Cost, dict(jepa=jepa(), z0=t(B, D), z_goal=t(B, D), reduce='sum', distance='euclidean')
    yield 'planning.fast.FastCost', fa.FastCost(jepa(), t(B, D), t(B, D)), dict(actions=t(B, N, T, A)), lambda r, actions: r.shape == actions.shape[:2]
    yield 'planning.cem.limit_norm', ce.limit_norm, dict(actions=t(B, T, A)*9, max_norm=2.45), lambda r, actions, max_norm: r.shape == actions.shape and (max_norm is None or not (r.norm(dim=-1) > max_norm*1.001).any())
    fields = dict(num_samples=8, iterations=2, num_elites=3, horizon=4, sigma=1.5, max_norm=2.45, action_dim=2, select='mean', explore_fraction=.2, noise_correlation=.5, explore_sigma=1.5, proposal_correlation=.1, keep_elites=1, restarts=1)
    works = lambda p: p.num_samples > 999 or p.horizon > 999 or p.action_dim > 99 or p.iterations > 99 or p.plan(quadratic, rng(0), 2).actions.isfinite().all()
    yield 'planning.cem.CEM', ce.CEM, fields, lambda r, **kw: works(r)
    yield 'planning.cem.CEM update', cem.update, dict(actions=t(B, N, T, A), cost=t(B, N)), lambda r, actions, **kw: r.mean.shape == (len(actions), *actions.shape[2:])
    yield 'planning.cem.CEM propose', cem.propose, dict(mean=t(B, T, A), std=t(B, T, A), noise=t(B, N, T, A)), lambda r, noise, **kw: r.shape == noise.shape
    yield 'planning.cem.CEM plan', cem.plan, dict(cost=quadratic, generator=g(), episodes=B, horizon=4, init=t(B, 3, A), first=t(B, 1, 3, A)), lambda r, episodes, horizon, **kw: r.actions.shape == (episodes, horizon or 4, A)
    yield 'planning.cem.CEM plan cost', lambda scores: cem.plan(lambda a: scores, rng(0), B), dict(scores=t(B, N)), lambda r, scores: r.actions.isfinite().all()
    yield 'planning.cem.CEM shift', cem.shift, dict(plan=plan(), steps=1)
    yield 'planning.cem.smooth_noise', ce.smooth_noise, dict(noise=t(B, T, A), rho=.5), lambda r, noise, rho: r.shape == noise.shape
    yield 'planning.mppi.MPPI', mp.MPPI, fields | dict(temperature=2.), lambda r, **kw: works(r)
    replan = dict(execute_steps=1, warm_sigma=1., first_iterations=2, warm_start=True, shift_elites=True)
    options = dict(reduce='sum', distance='squared', stuck_noise=True, revisit_weight=.5, revisit_width=2.)
    yield 'planning.agent.Replan', ep.Replan, replan, lambda r, **kw: r.execute_steps >= 1
    yield 'planning.agent.AgentOptions', ep.AgentOptions, options, lambda r, **kw: bool(r.revisit_weight >= 0)
    yield 'planning.agent.Planner', lambda execute_steps, **kw: ep.Planner(replan=ep.Replan(execute_steps), **kw), dict(search=search(), execute_steps=4), lambda r, execute_steps, **kw: execute_steps <= r.search.horizon
    yield 'planning.agent.build_planner', lambda planner, horizon: ep.build_planner(dict(planner=planner, horizon=horizon)), dict(planner='cem', horizon=4)
    yield 'planning.agent.build_planner settings', ep.build_planner, dict(cfg=dict(planner='cem'))
    yield 'planning.agent.load_planner', overridden(ep.load_planner), dict(name_or_path='plan_fast', override='iterations=3')
    yield 'planning.episodes.sample_tasks', ep.sample_tasks, dict(n=B, rooms=rooms(), seed=0, margin=2.6), lambda r, n, **kw: r.start.shape == (n, 2)
    for policy in ('random_actions', 'straight_line', 'oracle'): yield f'planning.episodes.{policy}', partial(ep.run_policy, getattr(ep, policy)), dict(tasks=tasks(), steps=2, contact='bounce', generator=g(), rooms=rooms()), lambda r, steps, **kw: r.position.shape[1] == steps + 1 and inside(r.position)
    yield 'planning.episodes.run_policy', ep.run_policy, dict(policy=ep.oracle, tasks=tasks(), steps=2, contact='stop', generator=g(), rooms=rooms(), executed_max_norm=2.), lambda r, steps, **kw: r.position.shape[1] == steps + 1
    yield 'planning.episodes.run_policy plan', lambda plan: ep.run_policy(lambda *_: plan, tasks(), 2), dict(plan=t(2, 2, A)), lambda r, plan: inside(r.position)
    yield 'planning.agent.Agent', ep.Agent, dict(model=jepa(), search=search(), replan=ep.Replan(), goal_image=images(B), options=ep.AgentOptions())
    yield 'planning.agent.Agent act', lambda **kw: ep.Agent(jepa(), search(), ep.Replan(), images(B)).act(**kw), dict(image=images(B), left=3, generator=g()), lambda r, **kw: r.shape == (B, 1, A)
    yield 'planning.episodes.run_episodes', ep.run_episodes, dict(jepa=jepa(), tasks=tasks(), planner=planner(), steps=2, contact='stop', generator=g(), rooms=rooms()), lambda r, steps, **kw: r.position.shape[1] == steps + 1
    yield 'planning.episodes.success_rate', ep.success_rate, dict(success=t(9) > .5), lambda r, success: 0 <= r[1] <= r[0] + 1e-9 and r[0] - 1e-9 <= r[2] <= 1
    yield 'training.settings.RefineConfig', rf.RefineConfig, dict(clips=2, frames=6, steps=3, kappa=50., wall_start=.2, updates=1, batch=2, lr=1e-3, final_lr=1e-6, warmup=.01, clip=2., seed=5)
    dreams = rf.RefineConfig(clips=2, frames=6, steps=3, updates=1, batch=2)
    yield 'training.refining.encode_clips', rf.encode_clips, dict(jepa=jepa(), cfg=dreams, piece=2)
    yield 'training.refining.refine', rf.refine, dict(trained=ck.Trained(jepa(), probe(), dict(config=dict(data=dict(fixed_wall=True)))), cfg=dreams)
    yield 'training.checkpoints.save_trained', ck.save_trained, dict(path=HERE/'model', trained=ck.Trained(jepa(), pb.PositionProbe(D), dict(config=dict(model=dict(dim=D, channels=[2, 2], num_layers=1)))))
    yield 'training.checkpoints.load_trained', ck.load_trained, dict(path='nowhere', device=cpu)
    yield 'training.checkpoints.load_pretrained', ck.load_pretrained, dict(name='quick', device=cpu)
    yield 'training.checkpoints.card_table', ck.card_table, dict(card=card())
    yield 'training.learner.learning_rate', tn.learning_rate, dict(step=3, total=9, optim=small().optim), lambda r, optim, **kw: 0 <= r <= optim.lr
    yield 'training.learner.time_weight', tn.time_weight, dict(step=3, total=9, loss=small('loss.delta_final=2').loss), lambda r, loss, **kw: min(loss.delta, loss.delta_final) <= r <= max(loss.delta, loss.delta_final)
    yield 'training.learner.build_objective', tn.build_objective, dict(cfg=small())
    yield 'training.learner.Learner', tn.Learner, dict(cfg=small(), device=cpu)
    for key, right in SETTINGS.items(): yield f'training.learner.Learner {key}', lambda value, key=key: [*tn.train_step(tn.Learner(small(f'{key}={value}'.replace('None', 'null')), 'cpu')).values()], dict(value=right)
    yield 'training.resuming.read_metrics', tn.read_metrics, dict(folder='nowhere'), lambda r, folder: r == []
    yield 'training.learner.every', lambda steps, measure: tn.every(steps, measure)(SimpleNamespace(step=1, modules={})), dict(steps=1, measure=lambda learner: {})
    yield 'training.learner.train', lambda **kw: tn.train(progress=False, **kw), dict(cfg=small(), out_dir=str(HERE/'run'), callbacks=[], device=cpu, log_every=1)
    yield 'training.learner.history', tn.history, dict(card=card(), key='prediction')
    yield 'tools.tasks.load_tasks', rp.load_tasks, dict(name='fixed_wall_validation', n=3, final=False), lambda r, n, **kw: n is None or len(r.start) == n
    yield 'tools.rows.queue', rp.queue, dict(budget='laptop')
    yield 'tools.reproduce.matching', lambda pattern: rp.matching(rp.queue('dense'), pattern), dict(pattern='fixed')
    yield 'tools.sweeps.load_sweep', sw.load_sweep, dict(name_or_path='example')
    yield 'tools.sweeps.expand', sw.expand, dict(spec=dict(grid={'loss.alpha': [1, 2]}))
    yield 'tools.plotting.show_room', lambda **kw: pl.show_room(axes(), **kw), dict(wall_x=32, door_y=18)
    yield 'tools.plotting.frame_rgb', pl.frame_rgb, dict(obs=images(B), dot='goal'), lambda r, obs, **kw: r.shape == (*obs.shape[:-3], *obs.shape[-2:], 3)
    yield 'tools.plotting.show_frame', lambda **kw: pl.show_frame(axes(), **kw), dict(obs=images(1)[0], dot='dot')
    yield 'tools.plotting.episode_frames', pl.episode_frames, dict(frames=images(B), goal=images(1)[0]), lambda r, frames, **kw: len(r) == len(frames)
    yield 'tools.plotting.contrast', pl.contrast, dict(a='#123456', b='white'), lambda r, **kw: 1 <= r <= 21
    yield 'tools.plotting.ink', pl.ink, dict(color='muted', least=4.5), lambda r, least, **kw: bool(pl.contrast(r) >= least)
    yield 'tools.plotting.save_gif', pl.save_gif, dict(frames=[np.zeros((4, 4, 3), np.uint8)]*2, path=HERE/'film.gif', fps=10, scale=2)
    yield 'tools.plotting.fig_rgb', pl.fig_rgb, dict(fig=picture(0))
    yield 'tools.widgets.png', module('tools.widgets').png, dict(fig=picture(0))
    yield 'tools.plotting.curves', lambda x, ys: pl.curves(axes(), x, ys), dict(x=t(4), ys=dict(a=t(4)))
    yield 'tools.widgets.interact', pl.interact, dict(draw=picture, n=[1, 2])
    yield 'tools.widgets.keys', pl.keys, dict(labels='ab', columns=2)
    yield 'tools.widgets.animate', pl.animate, dict(draw=picture, n=[1, 2])
    yield 'tools.widgets.player', pl.player, dict(low=1, high=5, step=1, start=2, seconds=.5)
    yield 'tools.architecture.architecture', pl.architecture, dict(lit='encoder')
    yield 'tools.tracking.track_to', module('tools.tracking').track_to, dict(names='tensorboard')
    yield 'tools.evaluation.evaluations', module('tools.commands+tools.evaluation').evaluations, dict(cfg=small())

HERE = Path('.')
SETTINGS = {'seed': 1, 'save_every': 1, 'model.dim': 8, 'model.num_layers': 1, 'data.steps': 6, 'data.clip': 4, 'data.kappa': 1., 'data.crossing': .3, 'loss.beta': 1., 'loss.gamma': 1., 'loss.rollout': 2, 'loss.start': 'first',
            'loss.pool': 'all', 'loss.projector': [4], 'loss.delta_final': 2., 'loss.delta_from': .5, 'data.frames': [0, 1, 3], 'data.wall_start': .3, 'data.straight': .3, 'optim.lr': .1, 'optim.predictor_scale': 1., 'optim.final_lr': .1, 'optim.weight_decay': .1, 'optim.warmup': .1, 'optim.clip': 1., 'optim.batch': 2, 'optim.epoch_steps': 1, 'optim.epochs': 1, 'eval.unroll_every': 1, 'eval.inspect_every': 1, 'refine.updates': 1, 'refine.batch': 2}

# ── what isn't tried, and why ───────────────────────────────────────────────────────────────────────────────────

WHY_NOT = {
    'a record, which holds what it is given; the functions that read it look at it': 'world.two_rooms.Layout world.trajectories.Trajectory world.trajectories.Clip planning.cem.Update planning.cem.Plan planning.cem.Step planning.episodes.Tasks planning.episodes.Episodes training.unrolling.Unroll training.checkpoints.Trained training.learner.Run tools.rows.Row tools.inspecting.EmbeddingStats tools.sweeps.Trial tools.sweeps.Sweep tools.runner.Cluster tools.tracking.Track tools.bench.Case',
    'a schema of settings, which load_config and the Learner try field by field': 'training.settings.ModelConfig training.settings.LossConfig training.settings.OptimConfig training.settings.EvalConfig training.settings.RunConfig training.settings.with_defaults training.settings.encoded_frames',
    'takes nothing': 'tools.bench.peak_memory tools.devices.device planning.agent.published_planner planning.agent.fast_planner tools.plotting.use_style tools.reproduce.commit training.distributed.world_size training.distributed.rank tools.tracking.wandb_mode',
    'a kernel of inner loops, unchecked by contract': 'world.two_rooms.move_unchecked world.two_rooms.blocked_unchecked world.two_rooms.door_middle',
    'works on a GPU only': 'tools.devices.CudaGraph planning.fast.GraphedCost',
    'shows something in a live notebook': 'tools.plotting.gif_output tools.widgets.bar tools.architecture.Architecture',
    'a step of a command, which is tried as a whole': 'tools.commands.one_line_errors tools.commands.command tools.pictures.pictures training.learner.train_step training.refining.Refiner training.refining.train_stages training.resuming.generator_state training.resuming.read_state training.resuming.save_state training.resuming.load_state tools.pictures.drawn tools.progress.live tools.progress.say tools.progress.Line',
    'makes the results of the book; its command looks at what it is given': 'tools.fingerprints.world_digest tools.fingerprints.code_digest tools.fingerprints.digest tools.fingerprints.stale_note tools.fingerprints.planner_digest tools.inspecting.probe_layout tools.inspecting.layout_errors tools.inspecting.latent_distances tools.inspecting.wall_penetration tools.fingerprints.training_digest tools.fingerprints.changed tools.tasks.world_tasks tools.tasks.save_tasks tools.inspecting.embedding_stats tools.inspecting.dot_share tools.rows.episodes_of tools.rows.is_final tools.rows.settings tools.statistics.seed_spread tools.statistics.task_interval tools.statistics.mcnemar tools.statistics.holm tools.reproduce.TimeIsUp tools.reproduce.deadline tools.reproduce.shipped tools.reproduce.train_row tools.evaluation.outcomes tools.evaluation.evaluate tools.evaluation.summary tools.reproduce.provenance tools.reproduce.recipe tools.reproduce.row_tasks tools.reproduce.result_path tools.reproduce.make_row tools.reproduce.baselines tools.reproduce.baselines_path tools.reproduce.load_results tools.reproduce.table tools.reproduce.work',
    'makes, follows or reads the runs of a sweep, which load_sweep has looked at': 'tools.runner.write_status tools.runner.read_status tools.runner.locked tools.runner.run_trial tools.runner.progress_of tools.runner.survey tools.runner.clock tools.runner.survey_table tools.runner.measure_rate tools.runner.plan tools.runner.known_rate tools.runner.plan_text tools.runner.Work tools.runner.open_trials tools.runner.slots tools.runner.run_local tools.runner.run_slurm tools.runner.run_sweep tools.runner.run_single tools.report.epoch_means tools.report.finished tools.report.varied tools.report.tidy tools.report.write_csv tools.report.read_csv tools.report.pooled tools.report.summarise tools.report.deciding tools.report.best tools.report.summary_table tools.report.bands tools.report.draw_curves tools.report.settings_of tools.report.marginals tools.report.draw_marginals tools.report.write_best tools.report.report',
    'measures this machine; its command looks at what it is given': 'tools.bench.plain_clip tools.bench.PlainData tools.bench.plain_clips tools.bench.plain_step tools.bench.plain_cost tools.bench.seconds tools.bench.median tools.bench.compare tools.bench.data_case tools.bench.training_case tools.bench.laptop_case tools.bench.refining_case tools.bench.model_of tools.bench.task_pictures tools.bench.plan_case tools.bench.episodes_case tools.bench.ceiling tools.bench.operations tools.bench.training_operations tools.bench.profile tools.bench.dependent_steps tools.bench.episode_costs tools.bench.import_seconds tools.bench.machine tools.bench.report tools.bench.report_table',
    'speaks to other processes or to a server': 'training.distributed.all_gather training.distributed.average_gradients training.distributed.all_reduce_mean training.distributed.DistributedLearner training.distributed.process_group training.distributed.train_distributed tools.tracking.TensorBoard tools.tracking.Wandb tools.tracking.tracked tools.tracking.train_tracked tools.tracking.sweep_settings tools.tracking.register_sweep',
    'reads and writes files for others, which are tried': 'tools.files.from_home tools.config.check_yaml tools.config.merge_settings tools.config.dotted_keys tools.config.find_config tools.config.parse_settings tools.config.read_yaml '
        'tools.files.about_file tools.files.json_text tools.files.write_json tools.files.locked_folder tools.files.naming_folder tools.files.parse_json tools.files.read_bytes tools.files.reading tools.files.whole_file tools.files.write_file '
        'tools.files.write_files training.resuming.log_row training.resuming.metrics_row training.resuming.resume_run tools.sweeps.find_sweep tools.sweeps.make_trial tools.sweeps.trial_name tools.sweeps.value_text',
    'checks, and the decorators that put arguments to them': 'tools.checks.a_generator tools.checks.a_mapping tools.checks.can tools.checks.checked tools.checks.flag tools.checks.listed tools.checks.number tools.checks.one_of tools.checks.optional tools.checks.record tools.checks.require_each tools.checks.typed tools.checks.typed_or_empty tools.checks.whole tools.devices.float32',
    'words of an error': 'tools.checks.brief tools.checks.nearest tools.checks.short tools.checks.whole_seed tools.devices.as_device tools.devices.device_name',
    'draws what a command shows': 'tools.pictures.can_draw tools.pictures.draw_episode tools.pictures.draw_training tools.pictures.draw_unroll training.checkpoints.has_fixed_wall '
        'tools.pictures.unroll_fresh_clips tools.plotting.gif_bytes',
    'what run_episodes makes of its agent': 'planning.episodes.ImagePolicy',
    'builds the site': 'tools.site.public_names tools.site.one_line tools.site.page_of tools.site.api_table tools.site.fold_figures tools.site.page_buttons tools.site.documentation tools.site.exported_cells tools.site.animation_cells tools.site.labels tools.site.linked tools.site.book_page tools.site.buttons',
    'the parts that checkers are made of': 'tools.checkers.verdict.Hint tools.checkers.verdict.need tools.checkers.verdict.Verdict tools.checkers.verdict.checker tools.checkers.verdict.close',
}
COMMANDS = dict(
    jepa_train=dict(preset='quick', overrides='optim.lr=0', out='run', device='cpu', track=''), jepa_unroll=dict(run='nothing', clips=1, seed=0), jepa_plan=dict(run='nothing', planner='fast', cost='sum', episodes=1, seed=0, tasks='', steps=1, contact='stop'),
    jepa_reproduce=dict(only='nothing', minutes=1, budget='dense'), jepa_bench=dict(only='nothing', repeats=1, baseline='', device='cpu'),
    jepa_sweep=dict(spec='nothing', on='here', single='nothing', parallel=0, device='cpu', gpus=0), jepa_report=dict(folder='nothing', encoder='', last=1))

def test_every_public_name_is_tried_or_excused():
    known = {f'{m}.{n}' for m, found in public_names().items() for n, node in found.items() if not isinstance(node, (ast.Assign, ast.AnnAssign))}
    tried = {name.split()[0] for name, *_ in cases()} | {f'tools.commands.{c}' for c in COMMANDS} | {n for n in known if n.startswith('tools.checkers.') and '.check_' in n}
    excused = {n for names in WHY_NOT.values() for n in names.split()} | {n for n in known if '.require_' in n}   # those refuse what others are given
    assert known == tried | excused, (sorted(known - tried - excused), sorted((tried | excused) - known))
    assert not tried & excused, sorted(tried & excused)

# ── the trial ───────────────────────────────────────────────────────────────────────────────────────────────────

# Here nobody looks for numbers that aren't finite: inner loops, and models, whose gates an infinite action only saturates; and to a search an infinite cost is a cost.
# The last action of a film leads out of it, a dream's noise takes only its spread from the actions, and a curve may have gaps.
UNSEEN = ('losses.inverse_dynamics.', 'training.unrolling.noise_like', 'training.unrolling.unroll_frames', 'tools.plotting.curves', 'world.two_rooms.is_blocked', 'model.predictor.', 'model.jepa.', 'losses.objective.',
          'training.unrolling.rollout', 'planning.cost.goal_cost', 'planning.fast.', 'planning.cem.CEM ', 'training.probing.PositionProbe forward')

def numbers(x):
    "All floats in an answer or a question."
    if torch.is_tensor(x): return [x] if x.is_floating_point() and x.device.type != 'meta' and x.layout == torch.strided else []
    if isinstance(x, (float, np.floating)): return [torch.tensor(float(x), dtype=torch.float64)]
    if isinstance(x, (tuple, list)): return [n for v in x for n in numbers(v)]
    return []

def finite(x): return all(bool(n.isfinite().all()) for n in numbers(x))

def traces(x):
    "What would show in a message that `x` is meant."
    if torch.is_tensor(x): return [str(x.dtype).removeprefix('torch.'), *[x.device.type]*(x.device.type != 'cpu'), str(list(x.shape)), *[str(list(x.shape)[1:])[1:]]*(x.ndim > 1), str(x)[:15]]
    if isinstance(x, tuple) and hasattr(x, '_fields'): return [*x._fields, *(w for v in x for w in traces(v))]
    return [' '.join(f(x).split())[:30] for f in (repr, str) if f(x)]

PARTS = dict(actions=('a is a tensor', 'a has shape', 'a is on'), z=('k is',))   # one of the actions; and there are no more directions than z has numbers

def one_line(e, told):
    "Is it one line of moderate length, that names what was wrong?"
    text = str(e)
    assert text and '\n' not in text and len(text) < 700, f'not one line: {text[:300]!r}'
    told = [*told, *(w for k in told for w in PARTS.get(k, ()))]
    assert any(w in text for w in told), f'names none of {told}: {text!r}'

def attempt(name, call, given_, changed, right=None):
    "One call: a right answer, or one clear line."
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        try: answer = call(**given_)
        except (ValueError, TypeError, OSError) as e:
            return one_line(e, [*changed, *(w for k in changed for w in traces(given_[k])), *(w for k in name.split()[1:] for w in k.split('.'))])
    for k in changed:      # what isn't finite must not vanish
        if not finite(given_[k]) and not name.startswith(UNSEEN): assert numbers(answer) and not finite(answer), f'{k} is not finite, and nobody notices'
    if right and all(finite(v) for v in given_.values()) and not any('meta' in traces(v) for v in given_.values()):
        ok = right(answer, **given_)
        assert ok is True or (torch.is_tensor(ok) and bool(ok)), f'a wrong answer: {ok}'

def short(x): return f'{type(x).__name__} {x}'.replace('\n', ' ')[:200]

def try_case(case, n: int, wrongs: dict) -> int:
    "Try one case `n` times with a wrong argument or two; returns how many calls, and notes what went wrong."
    (name, call, rightly, *right), count = case, [0]
    pool = {k: w for k, v in rightly.items() if (w := wrong(v))}
    if 'nowhere' not in map(str, rightly.values()): attempt(name, call, rightly, [], *right)
    @examples(n)
    @given(st.data())
    def tried(data):
        keys = [data.draw(st.sampled_from(sorted(pool)))]
        if len(pool) > 1 and data.draw(st.integers(0, 4)) == 0: keys = sorted({*keys, data.draw(st.sampled_from(sorted(pool)))})
        bad = {k: pool[k][data.draw(st.integers(0, len(pool[k]) - 1))] for k in keys}
        count[0] += 1
        try: attempt(name, call, {**rightly, **bad}, keys, *right)
        except Exception as e: wrongs.setdefault((name, *keys, type(e).__name__, str(e)[:60]), f"{name}({', '.join(f'{k}={short(v)}' for k, v in bad.items())}): {type(e).__name__}: {str(e)[:300]}")
    if pool: tried()
    return count[0]

@pytest.mark.promise('Wrong arguments are answered rightly or refused in one line that names them, whatever public function they are given to.', per_name=(2, 70))
def test_wrong_arguments(size, tmp_path, monkeypatch, record_property):
    monkeypatch.setitem(globals(), 'HERE', tmp_path); monkeypatch.chdir(tmp_path)
    torch.set_num_threads(1); wrongs = {}
    count = sum(try_case(case, size['per_name'], wrongs) for case in cases())
    record_property('cases', count)
    assert not wrongs, f'{len(wrongs)} of {count}:\n' + '\n'.join(wrongs.values())

# ── commands and checkers ───────────────────────────────────────────────────────────────────────────────────────

VALUES = ('', '0', '-1', '2.5', 'nan', 'nonsense', '1000000000000', '99999999999999999999999', '../..', 'a=b', 'ä\n', 'null', '[1', 'quikc', '/dev/null', 'x'*400)

RIGHT = [('only', v) for v in ('', '0', '-1')]     # every row, and those with such a piece in their names

def said(command, args, monkeypatch, capsys):
    "What a command answers on a command line: its exit code and its last line."
    monkeypatch.setattr(sys, 'argv', [command, *args]); capsys.readouterr()
    try: getattr(module('tools.commands+tools.evaluation'), command)(); code = 0
    except SystemExit as e: code = e.code
    return code, capsys.readouterr().err.strip().split('\n')[-1]

def try_command(command, rightly: dict, n: int, monkeypatch, capsys) -> int:
    "Call a command `n` times with a wrong word; returns how many calls."
    count = [0]
    positional = [k for k in ('preset', 'run', 'spec', 'folder', 'overrides') if k in rightly]
    @examples(n)
    @given(st.sampled_from([(k, v) for k in sorted(rightly) for v in VALUES if (k, v) not in RIGHT]))
    def tried(word):
        key, value = word
        given_ = {**rightly, key: value}
        args = [str(given_[k]) for k in positional] + [f'--{k}={v}' for k, v in given_.items() if k not in positional]
        code, line = said(command, args, monkeypatch, capsys)
        count[0] += 1
        assert code not in (0, None), f'{command} {args} took it'
        if isinstance(code, str): assert code.startswith(f'{command}: ') and '\n' not in code and len(code) < 900, code
        else: assert code == 2 and 'error: ' in line, (code, line)
    tried()
    return count[0]

@pytest.mark.promise('Wrong words on the command line end a command with one line and an exit code that is not 0.', per_command=(4, 70))
def test_wrong_commands(size, tmp_path, monkeypatch, capsys, record_property):
    monkeypatch.chdir(tmp_path)
    record_property('cases', sum(try_command(*c, size['per_command'], monkeypatch, capsys) for c in COMMANDS.items()))

ANSWERS = (0, 1, -1, 2.5, math.nan, math.inf, 10**12, True, '', 'nonsense', [], [1, 2], {}, (), t(3), t(2, 2)*math.nan, torch.tensor(1), 1j, b'x', object(), len, lambda *a: None, lambda *a: a[0] if a else 1, lambda *a: t(3), lambda *a, **kw: 1/0)

def try_checker(check, n: int) -> int:
    "Give a checker `n` wrong answers; returns how many."
    k, count = len(signature(check).parameters), [0]
    @examples(n)
    @given(st.lists(st.sampled_from(ANSWERS), min_size=k, max_size=k))
    def tried(answers):
        verdict = check(*answers); count[0] += 1
        assert isinstance(verdict, module('tools.checkers').Verdict) and isinstance(verdict.message, str) and verdict.message, check.__name__
    with warnings.catch_warnings(): warnings.simplefilter('ignore'); tried()
    return count[0]

@pytest.mark.promise('Whatever is answered to an exercise, its checker judges it, with a tick or a hint.', per_checker=(1, 20))
def test_wrong_answers(size, record_property):
    checks = [getattr(module('tools.checkers'), n) for m, names in public_names().items() if m.startswith('tools.checkers.') for n in names if n.startswith('check_')]
    record_property('cases', sum(try_checker(c, size['per_checker']) for c in checks))

# ── right arguments, and what theory promises of the answers ────────────────────────────────────────────────────

seeds, sizes = st.integers(0, 2**31), st.integers(2, 6)
def randn(seed, *shape): return torch.randn(*shape, generator=rng(seed))
def same(a, b, tol=1e-5): torch.testing.assert_close(a, b, rtol=tol, atol=tol)

def steps_one_by_one(seed, n, k):
    "A batch of dots moves, and is drawn, as its dots do one by one."
    w = module('world.two_rooms+world.environment')
    many, g = w.sample_layouts(n, generator=rng(seed)), rng(seed)
    p = w.sample_free(many, generator=g); a = 6*torch.randn(n, 2, generator=g)
    alone = [w.Layout(*(v[i:i+1] for v in many)) for i in range(n)]
    moved = w.move(p, a, many)
    assert torch.equal(moved, torch.cat([w.move(p[i:i+1], a[i:i+1], alone[i]) for i in range(n)]))
    assert torch.equal(w.render(moved, many), torch.cat([w.render(moved[i:i+1], alone[i]) for i in range(n)]))
    path = module('world.trajectories').simulate(p, a[:, None].expand(n, k, 2), many)
    for s in range(k): p = w.move(p, a, many); assert torch.equal(p, path[:, s + 1])

def dreams_one_by_one(seed, n, k):
    "A batch is encoded and imagined as its members are one by one, and a dream is its predictions one after another."
    z, a = randn(seed, n, D), randn(seed + 1, n, k, A)
    dream = jepa().unroll(z, a)
    same(dream, torch.cat([jepa().unroll(z[i:i+1], a[i:i+1]) for i in range(n)]))
    for s in range(k): z = jepa().predict(z, a[:, s]); same(z, dream[:, s])
    obs = images(n)
    same(jepa().encode(obs), torch.cat([jepa().encode(obs[i:i+1]) for i in range(n)]), 1e-4)
    assert module('training.unrolling').rollout(jepa(), z, a).shape == (n, k + 1, D)

def losses_do_not_care_for_order(seed, n, k):
    "Losses are never negative, vanish where nothing is wrong, and don't depend on the order of the batch or of the dimensions."
    vc, ts, iv, je = map(module, 'losses.variance_covariance losses.time_similarity losses.inverse_dynamics model.jepa'.split())
    z, a, order = randn(seed, n, k, D), randn(seed + 1, n, k, A), torch.randperm(n, generator=rng(seed))
    net = idm().requires_grad_(False)
    losses = [vc.variance_loss, partial(vc.variance_loss, pool='time'), vc.covariance_loss, partial(vc.covariance_loss, pool='time'), ts.time_similarity_loss,
              lambda z, a=a: iv.inverse_dynamics_loss(net, z, a), lambda z, a=a: je.rollout_loss(jepa(), z, a, k)]
    for i, loss in enumerate(losses):
        more = [a[order]] if i > 4 else []
        assert loss(z) >= 0
        same(loss(z), loss(z[order], *more))
        if i < 5: same(loss(z), loss(z[..., torch.randperm(D, generator=rng(seed))]))
    still = z[:1, :1].expand(n, k, D)
    assert ts.time_similarity_loss(still) == 0 and je.prediction_loss(z, z) == 0 and vc.covariance_loss(still) < 1e-8
    same(vc.variance_loss(still), torch.tensor(1 - 1e-4**.5)); assert vc.variance_loss(100*z + z.flip(0)*0, gamma=.01) == 0
    same(je.prediction_loss(z, z.flip(0)), ((z - z.flip(0))**2).sum()/z.numel())

def planners_keep_their_word(seed, n, k):
    "Plans have their shape and keep the limit, and one that keeps its elites is never worse than the mean that it started from."
    cost = lambda plans: (plans - goal).abs().sum((-1, -2)).sqrt() + plans[..., 0].sin().sum(-1)
    goal, init = randn(seed, 1, 1, k, A), randn(seed + 1, n, k, A)*.5
    for kind, more in ((module('planning.cem').CEM, {}), (module('planning.mppi').MPPI, dict(temperature=.5))):
        p = kind(num_samples=12, iterations=3, num_elites=4, horizon=k, keep_elites=2, select='best', explore_fraction=.25, **more)
        plan = p.plan(cost, rng(seed), n, init=init)
        assert plan.actions.shape == (n, k, A) and (plan.actions.norm(dim=-1) <= p.max_norm*(1 + 1e-5)).all()
        first = module('planning.cem').limit_norm(init, p.max_norm)
        assert (cost(plan.actions[:, None]) <= cost(first[:, None]) + 1e-4).all()
        up = p.update(randn(seed, n, 12, k, A), randn(seed + 2, n, 12))
        same(up.weights.sum(1), torch.ones(n)); assert (up.std >= 0).all()

def the_fast_cost_is_the_cost(seed, n, k):
    "Both ways to price plans agree, whatever is summed, and a batch of episodes costs what its episodes do."
    co, fa = module('planning.cost'), module('planning.fast')
    z0, zg, plans = randn(seed, n, D), randn(seed + 1, n, D), randn(seed + 2, n, 3, k, A)
    for reduce in ('sum', 'last'):
        for distance in ('squared', 'euclidean'):
            slow = co.goal_cost(jepa(), z0, zg, plans, reduce, distance)
            assert slow.shape == (n, 3) and (slow >= 0).all()
            same(slow, torch.cat([co.goal_cost(jepa(), z0[i:i+1], zg[i:i+1], plans[i:i+1], reduce, distance) for i in range(n)]), 1e-4)
            same(fa.make_cost(jepa(), z0, zg, reduce, distance)(plans), slow, 1e-3 if module('tools.devices+tools.checks+tools.config+model.normalizer').amp_dtype('cpu') is None else .1)

def there_and_back(seed, n, k):
    "Positions survive the normaliser; images become numbers of one range, whatever their brightness."
    norm, xy = Normalizer(), randn(seed, n, k, 2)*30
    same(norm.inverse_position(norm.position(xy)), xy, 1e-4)
    obs = images(n); dim = (obs//2).clamp_max(127)
    for x in (norm.obs(obs), norm.obs(dim)):
        y = x*torch.tensor(norm.obs_std)[:, None, None] + torch.tensor(norm.obs_mean)[:, None, None]
        assert y.min() > -1e-3 and y.max() < 1 + 1e-3

def the_interval_is_wilsons(seed, n, k):
    "The ends of the interval are the two rates at which what was seen lies 1.96 standard errors away."
    n = 3*n*k; won = torch.rand(n, generator=rng(seed)) < torch.rand((), generator=rng(seed + 1))
    rate, low, high = module('planning.episodes+planning.agent').success_rate(won)
    assert rate == pytest.approx(int(won.sum())/n) and 0 <= low <= rate + 1e-12 and rate <= high + 1e-12 and high <= 1
    for end in (low, high):
        if 1e-9 < end < 1 - 1e-9: assert abs(rate - end) == pytest.approx(1.959964*math.sqrt(end*(1 - end)/n), rel=1e-4)

def probes_and_spaces(seed, n, k):
    "A probe's error is zero where it is right; the effective rank lies between 1 and the number of dimensions; principal coordinates keep distances."
    pb, z = module('training.probing'), randn(seed, n, k, D)
    assert pb.decode(jepa(), probe(), z).shape == (n, k, 2) and pb.probe_loss(probe(), z, probe()(z)) == 0
    assert 1 - 1e-4 <= pb.effective_rank(z) <= min(n*k, D) + 1e-3 and pb.effective_rank(z[:1, :1].expand(n, k, D)) < 1.01
    q = pb.pca(z, min(n*k, D))
    assert pb.pca(z, 1).shape == (n, k, 1)
    same(torch.cdist(q.flatten(0, 1), q.flatten(0, 1)), torch.cdist(z.flatten(0, 1), z.flatten(0, 1)), 1e-2)

def films_are_cut_from_walks(seed, n, k):
    "Each action of a clip leads from one position to the next, and each picture shows its position."
    w, tr = module('world.two_rooms+world.environment'), module('world.trajectories')
    c = tr.sample_clips(n, tr.TrajectoryConfig(steps=4*k, clip=k, door_centred=.5, crossing=.5), rng(seed))
    many = w.Layout(*(v.repeat_interleave(k - 1) for v in c.layout))
    assert torch.equal(w.move(c.position[:, :-1].flatten(0, 1), c.action[:, :-1].flatten(0, 1), many), c.position[:, 1:].flatten(0, 1))
    assert torch.equal(c.obs, w.render(c.position, c.layout)) and (c.action.norm(dim=-1) < 1.81).all()

LAWS = (steps_one_by_one, dreams_one_by_one, losses_do_not_care_for_order, planners_keep_their_word, the_fast_cost_is_the_cost, there_and_back, the_interval_is_wilsons, probes_and_spaces, films_are_cut_from_walks)

def try_law(law, n: int) -> int:
    count = [0]
    @examples(n)
    @given(seeds, sizes, sizes)
    def holds(seed, batch, k): count[0] += 1; law(seed, batch, k)
    holds()
    return count[0]

@pytest.mark.promise('Right arguments of any size and seed are answered as theory says: batches as their members, losses never negative, plans within their limit, intervals as Wilson defined them.', per_law=(8, 200))
def test_right_arguments(size, record_property):
    torch.set_num_threads(1)
    record_property('cases', sum(try_law(law, size['per_law']) for law in LAWS))
