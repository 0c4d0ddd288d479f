"The world and its data agree with answers computed once with the published implementation (tests/fixtures)."
import copy, pickle, subprocess, sys, warnings
from pathlib import Path
import gymnasium, numpy as np, pytest, torch
from gymnasium.utils.env_checker import check_env
from torch.utils._python_dispatch import TorchDispatchMode
from jepa_tutorial.tools.devices import rng
from jepa_tutorial import ENV_ID
from jepa_tutorial.planning.cem import limit_norm
from jepa_tutorial.world.environment import TwoRoomsEnv, TwoRoomsVectorEnv
from jepa_tutorial.world.trajectories import (
    crosses, EDGE, sample_clips, sample_trajectories, TrajectoryConfig
)
from jepa_tutorial.world.two_rooms import (
    contact_point, door_middle, draw_walls, is_blocked, Layout, move, move_unchecked, render, Rooms,
    sample_free, sample_layouts
)

fixtures = Path(__file__).parent/'fixtures'

@pytest.fixture(scope='module')
def physics():
    "Single moves, without the degenerate ones: ties on integer coordinates, zero actions, starts inside the solid wall."
    f = {k: torch.from_numpy(v) for k, v in np.load(fixtures/'physics.npz').items()}
    p, a = f['pos'], f['action']
    off = (p - torch.stack([f['wall_x'], f['door_y']], -1)).abs()
    solid, tie = (off[:, 0] <= 1) & (off[:, 1] >= 4), (p == p.round()).any(1)
    keep = ~solid & ~tie & (a != 0).any(1)
    assert keep.sum() > 850
    return {k: v[keep] for k, v in f.items()}

def room_of(f): return Layout(f['wall_x'], f['door_y'])

def test_stop_agrees(physics):
    p, a, layout = physics['pos'], physics['action'], room_of(physics)
    assert torch.equal(is_blocked(p, a, door_middle(layout, p)), physics['stop_blocked'])
    torch.testing.assert_close(move(p, a, layout), physics['stop_next'], atol=1e-5, rtol=0)

def test_contact_agrees(physics):
    p, a, layout = physics['pos'], physics['action'], room_of(physics)
    assert torch.equal(is_blocked(p, a, door_middle(layout, p)), physics['bounce_hit'])
    known = physics['bounce_hit'] & physics['bounce_point'].isfinite().all(1)
    assert known.sum() > 100
    point, away = contact_point(p[known], a[known], door_middle(layout, p)[known])
    torch.testing.assert_close(point, physics['bounce_point'][known], atol=1e-3, rtol=0)
    assert ((away*a[known]).sum(1) < 0).all() and (away.norm(dim=1) == 1).all()

def test_bounce_noise_is_as_described():
    n = 20_000
    layout, p, a = sample_layouts(n, fixed=True), torch.tensor([[30., 40.]]).expand(n, 2), torch.tensor([[2., 0.]]).expand(n, 2)
    q = move(p, a, layout, contact='bounce', generator=rng(0))
    away, along = 31 - q[:, 0], q[:, 1] - 40
    assert away.min() >= .3 - 1e-5
    half_normal = torch.erfinv(torch.tensor(.9))*.5*2**.5                    # 90 % of |N(0, 1/2)| lie below
    assert abs((away < half_normal).float().mean() - .9) < .01 and abs(along.std() - .5) < .02 and abs(along.mean()) < .02

def test_pictures_agree_to_the_byte():
    f = np.load(fixtures/'render.npz')
    layouts = Layout(*torch.from_numpy(f['layouts']).T)
    assert np.array_equal(draw_walls(layouts).numpy(), f['walls'])
    frames = render(torch.from_numpy(f['dot_position']), Layout(layouts.wall_x[:1], layouts.door_y[:1]))
    assert np.array_equal(frames[:, 0].numpy(), f['dot'])
    assert (frames[:, 1].numpy() == f['walls'][0]).all()

@pytest.mark.parametrize('contact', ['stop', 'bounce'])
def test_nobody_walks_through_walls(contact):
    r, g, n = Rooms(), rng(3), 5000
    layout = sample_layouts(n, generator=g)
    p = sample_free(layout, margin=.01, generator=g)
    for scale in torch.logspace(-3, 3, 60):
        p = move(p, torch.randn(n, 2, generator=g)*scale, layout, contact=contact, generator=g)
        assert ((p > r.low) & (p < r.high)).all()
        assert not (((p[:, 0] - layout.wall_x).abs() <= 1) & ((p[:, 1] - layout.door_y).abs() >= 4)).any()

@pytest.mark.parametrize('action', [[0., 0.], [0., 1.], [1., 0.], [1e-20, 1.], [1e30, -1e30], [-1e38, 1e38]])
def test_odd_actions_leave_the_dot_on_the_floor(action):
    layout = sample_layouts(64, generator=rng(0))
    p = sample_free(layout, generator=rng(1))
    for contact in ('stop', 'bounce'):
        q = move(p, torch.tensor([action]).expand(64, 2), layout, contact=contact, generator=rng(2))
        assert q.isfinite().all() and ((q > 4) & (q < 60)).all()

def test_other_batch_shapes_and_precisions():
    layout = sample_layouts(6, generator=rng(0)); p = sample_free(layout, generator=rng(1)); a = torch.randn(6, 2, generator=rng(2))*3
    q = move(p, a, layout)
    assert torch.equal(move(p.view(2, 3, 2), a.view(2, 3, 2), Layout(*(v.view(2, 3) for v in layout))).view(6, 2), q)
    assert torch.equal(torch.stack([move(p[i], a[i], Layout(layout.wall_x[i], layout.door_y[i])) for i in range(6)]), q)
    torch.testing.assert_close(move(p.double(), a.double(), layout).float(), q)
    assert torch.equal(move_unchecked(p, a, layout), q) and move(p[:0], a[:0], Layout(*(v[:0] for v in layout))).shape == (0, 2)

# the data

@pytest.fixture(scope='module')
def stats(): return dict(np.load(fixtures/'data_stats.npz'))

@pytest.fixture(scope='module')
def walks(): return sample_trajectories(6000, generator=rng(0))

def z_score(ours, theirs, n_theirs=2000):
    "How many standard errors `theirs` is from the mean of `ours`, one number for each trajectory."
    ours = ours.double()
    return ((theirs - ours.mean(0))/(ours.std(0)*(1/n_theirs + 1/len(ours))**.5 + 1e-9))

def test_steps_agree(walks, stats):
    norm = walks.action.norm(dim=-1)
    ours = np.histogram(norm, stats['action_norm_edges'])[0]/norm.numel()
    theirs = stats['action_norm_hist']/stats['action_norm_hist'].sum()
    assert np.abs(ours - theirs).sum() < .01
    assert abs(norm.mean().item() - stats['action_norm_mean']) < .003 and abs(norm.std().item() - stats['action_norm_std']) < .003

def test_turns_agree(walks, stats):
    heading = torch.atan2(walks.action[..., 1], walks.action[..., 0])
    turn = torch.remainder(heading.diff(dim=1) + torch.pi, 2*torch.pi) - torch.pi
    ours, theirs = np.histogram(turn, stats['turn_edges'])[0]/turn.numel(), stats['turn_hist']/stats['turn_hist'].sum()
    assert np.abs(ours - theirs).sum() < .015
    assert abs(turn.abs().mean().item() - stats['turn_mean_abs']) < .003 and abs(turn.std().item() - stats['turn_std']) < .004

def test_blocked_steps_agree(walks, stats):
    p = walks.position[:, :int(stats['n_pos_per_traj'])]                       # the histograms hold 90 positions of each
    blocked = (p[:, 1:] == p[:, :-1]).all(-1).float()
    assert abs(z_score(blocked.mean(1), float(stats['frac_steps_blocked']))) < 3.5
    z = z_score(blocked, torch.from_numpy(stats['blocked_by_step']))
    assert z.abs().max() < 4.5 and z.square().mean().sqrt() < 2

def test_places_agree(walks, stats):
    p = walks.position[:, :int(stats['n_pos_per_traj'])]
    cell = torch.bucketize(p.contiguous(), torch.from_numpy(stats['pos_edges'][1:-1]).float())
    index = cell[..., 1]*13 + cell[..., 0]
    share = torch.zeros(len(p), 169).scatter_add_(1, index, torch.ones_like(p[..., 0]))/p.shape[1]
    z = z_score(share, torch.from_numpy(stats['pos_hist_13x13_yx']/stats['pos_hist_13x13_yx'].sum()).flatten())
    assert z.abs().max() < 5 and z.square().mean().sqrt() < 1.4
    for i in (0, 1): assert abs(z_score(p[..., i].mean(1), float(stats['pos_mean'][i]))) < 3.5

def test_door_crossings_agree(walks, stats):
    p, layout = walks.position[:, :int(stats['n_pos_per_traj'])], walks.layout
    assert abs(z_score(crosses(p, layout).float(), float(stats['frac_traj_both_sides']))) < 3.5
    right = p[..., 0] > layout.wall_x[:, None]
    assert abs(z_score((right.any(1) & ~right.all(1)).float(), float(stats['frac_traj_cross_centre']))) < 3.5
    windows = p.unfold(1, 17, 1).transpose(2, 3)                                # [n,74,17,2]
    hit = crosses(windows.flatten(0, 1), Layout(*(v.repeat_interleave(windows.shape[1]) for v in layout))).view(len(p), -1).float().mean(1)
    assert abs(z_score(hit, float(stats['frac_windows17_cross']))) < 3.5

def test_starts_on_the_clamp_agree(walks, stats):
    start = walks.position[:, 0]
    clamped = ((start - 32).abs() - (28 - EDGE) > -1e-4).any(1).float()
    assert abs(z_score(clamped, float(stats['exact_start_on_clamp']))) < 3.5

def test_layouts_agree(walks, stats):
    for ours, name in zip(walks.layout, ('wall_x', 'door_y')):
        assert set(ours.tolist()) == set(stats[f'{name}_values'].tolist())
        share = stats[f'{name}_hist']/stats[f'{name}_hist'].sum()
        assert (z_score(torch.stack([(ours == v).float() for v in stats[f'{name}_values']], 1), torch.from_numpy(share)).abs() < 4.5).all()

class Counted(TorchDispatchMode):
    "How many operations PyTorch carries out."
    number = 0
    def __torch_dispatch__(self, op, types, args=(), kwargs=None): self.number += 1; return op(*args, **(kwargs or {}))

def test_clips_are_made_all_at_once():
    "Five hundred take no more operations than five: what they take in seconds is the machine's."
    def count(n):
        with Counted() as c: sample_clips(n, generator=rng(0))
        return c.number
    count(5)                                                        # tables that are made once
    assert count(512) == count(5)

@pytest.mark.parametrize('cfg', [dict(), dict(clip=9, door_centred=1., crossing=1.), dict(clip=9, door_start=.5), dict(fixed_wall=True, clip=91), dict(steps=3, clip=2)])
def test_clips_are_pieces_of_walks(cfg):
    cfg = TrajectoryConfig(**cfg)
    c = sample_clips(300, cfg, rng(0))
    step = c.position.diff(dim=1)
    torch.testing.assert_close(step, torch.where((step == 0).all(-1, keepdim=True), 0., c.action[:, :-1]), atol=1e-4, rtol=0)
    assert torch.equal(c.obs, render(c.position, c.layout)) and c.action.shape == c.position.shape == (300, cfg.clip, 2)
    if cfg.fixed_wall: assert (c.layout.wall_x == 32).all() and (c.layout.door_y == 18).all()
    if cfg.door_centred: assert crosses(c.position, c.layout).float().mean() > .6

@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_a_gpu_makes_the_same_world():
    cpu, gpu = sample_clips(64, generator=rng(0)), sample_clips(64, generator=rng(0), device='cuda')     # chance from the CPU, pictures on the GPU
    assert gpu.obs.device.type == 'cuda' and (cpu.obs.int() - gpu.obs.cpu().int()).abs().max() <= 1
    assert sample_clips(8, generator=rng(0, 'cuda')).position.device.type == 'cuda'
    layout = sample_layouts(512, generator=rng(0)); p = sample_free(layout, generator=rng(1)); a = torch.randn(512, 2, generator=rng(2))*3
    torch.testing.assert_close(move(p.cuda(), a.cuda(), Layout(*(v.cuda() for v in layout))).cpu(), move(p, a, layout))

# the faces

def test_gymnasium_finds_nothing_to_complain():
    for kw in (dict(), dict(fixed=True, contact='bounce', terminate_on_success=True)):
        with warnings.catch_warnings():
            warnings.simplefilter('error'); warnings.filterwarnings('ignore', message='.*symmetric and normalized space.*')
            check_env(gymnasium.make(ENV_ID, render_mode='rgb_array', **kw).unwrapped)

def test_actions_are_shortened():
    env = TwoRoomsEnv(); env.reset(options=dict(layout=(32, 18), start=(20, 40), goal=(50, 40)))
    assert np.allclose(env.step((-100., 0.))[4]['position'], (20 - 2.45, 40))
    assert limit_norm(torch.zeros(3, 2), 2.45).abs().sum() == 0

def test_an_episode_has_200_steps_and_reports_success():
    env = TwoRoomsEnv(); env.reset(options=dict(layout=(32, 18), start=(20, 40), goal=(22, 40)))
    results = [env.step((0., 0.)) for _ in range(200)]
    assert all(r[1] == 1. and not r[2] for r in results) and [r[3] for r in results] == [False]*199 + [True]

def test_vector_environment_with_wrappers_and_tensors():
    env = gymnasium.wrappers.vector.RecordEpisodeStatistics(gymnasium.make_vec(ENV_ID, num_envs=4, max_steps=5))
    env.reset(seed=0); env.action_space.seed(0)
    done = [env.step(env.action_space.sample())[3] for _ in range(12)]
    assert [d.all() for d in done] == [t in (4, 10) for t in range(12)]         # five steps, one to begin anew, five steps
    env = TwoRoomsVectorEnv(3, tensors=True)
    obs, info = env.reset(seed=1)
    assert torch.is_tensor(obs) and obs.shape == (3, 2, 65, 65) and info['distance'].shape == (3,)
    again = TwoRoomsVectorEnv(3, tensors=True).reset(seed=1)[0]
    assert torch.equal(obs, again)

# as Gymnasium's own wrappers and vector environments use it

def test_a_plain_import_makes_the_name_known():
    code = "import jepa_tutorial, gymnasium as g, sys; s = g.spec('jepa_tutorial/TwoRooms-v0'); assert 'torch' not in sys.modules and 'matplotlib' not in sys.modules; print(s.max_episode_steps, g.make(s.id).reset(seed=0)[0].shape)"
    assert subprocess.run([sys.executable, '-c', code], check=True, capture_output=True, text=True).stdout == '200 (2, 65, 65)\n'

@pytest.mark.parametrize('given, length', [({}, 200), (dict(max_episode_steps=3), 3), (dict(max_episode_steps=203), 203), (dict(max_steps=3), 3)])
def test_an_episode_is_as_long_as_asked_for(given, length):
    "Whoever makes it: one room, or many in either way."
    env = gymnasium.make(ENV_ID, **given); env.reset(seed=0)
    assert [env.step((0., 0.))[3] for _ in range(length)] == [False]*(length - 1) + [True]
    assert env.spec.max_episode_steps == given.get('max_episode_steps', 200)
    for mode in ('sync', 'vector_entry_point'):
        many = gymnasium.make_vec(ENV_ID, num_envs=2, vectorization_mode=mode, **given); many.reset(seed=0)
        ends = [many.step(np.zeros((2, 2), np.float32))[3].all() for _ in range(length + 1)]
        assert ends == [False]*(length - 1) + [True, False] and many.spec.max_episode_steps == 200

@pytest.mark.parametrize('make', [gymnasium.make, gymnasium.make_vec])
def test_a_length_that_would_be_cut_off_is_refused(make):
    with pytest.raises(ValueError, match='max_steps is 500, .* after 200; give max_episode_steps=500'): make(ENV_ID, max_steps=500)

@pytest.mark.parametrize('mode', ['sync', 'async', 'vector_entry_point', None])
def test_many_rooms_can_be_seen(mode):
    env = gymnasium.make_vec(ENV_ID, num_envs=3, vectorization_mode=mode, render_mode='rgb_array')
    env.reset(seed=0); shown = env.render()
    assert env.render_mode == 'rgb_array' and len(shown) == 3 and all(x.shape == (65, 65, 3) and x.dtype == np.uint8 for x in shown) and (shown[0] != shown[1]).any()
    env.close(); env.close()
    with pytest.raises(ValueError, match='render_mode'): TwoRoomsVectorEnv(2, render_mode='human')

def test_one_of_many_rooms_looks_as_it_does_alone():
    many, alone = TwoRoomsVectorEnv(2, render_mode='rgb_array'), TwoRoomsEnv(render_mode='rgb_array')
    info = many.reset(seed=4)[1]
    alone.reset(options=dict(layout=[v[1] for v in many.layout], start=info['position'][1], goal=info['goal'][1]))
    assert (many.render()[1] == alone.render()).all() and TwoRoomsVectorEnv(2).render() is None

@pytest.mark.parametrize('env', [lambda: TwoRoomsEnv(render_mode='rgb_array'), lambda: TwoRoomsVectorEnv(2, render_mode='rgb_array')])
def test_reset_comes_first(env):
    for use in (lambda e: e.step(np.zeros((2, 2))), lambda e: e.render()):
        e = env()
        with pytest.raises(gymnasium.error.ResetNeeded, match=r'call reset\(\) first'): use(e)
        with pytest.raises(ValueError): e.reset(options=dict(start=(1., 2.), layout=(32, 18)))
        with pytest.raises(gymnasium.error.ResetNeeded): use(e)

@pytest.mark.parametrize('again', [copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])
@pytest.mark.parametrize('make', [lambda: TwoRoomsEnv(contact='bounce'), lambda: TwoRoomsVectorEnv(2, contact='bounce'), lambda: gymnasium.make(ENV_ID, contact='bounce')])
def test_a_copy_goes_on_alike(make, again):
    env, new = make(), again(make()); env.reset(seed=3); new.reset(seed=3)
    other = again(env)
    for e in (new, other): e.action_space.seed(0)
    env.action_space.seed(0)
    for _ in range(20): assert len({x.step(x.action_space.sample())[0].tobytes() for x in (env, new, other)}) == 1
    assert len({x.reset()[0].tobytes() for x in (env, new, other)}) == 1

ONE = [(1., 0.), [1, 0], np.array([1., 0.]), np.array([0., 1.])[::-1], np.array([1, 0], np.int8), torch.tensor([1., 0.], requires_grad=True), torch.tensor([1., 0.], dtype=torch.bfloat16),
       [torch.tensor(1., requires_grad=True), 0.], np.array([[1., 0.]]), (np.float32(1), np.int64(0))]

@pytest.mark.parametrize('action', ONE, ids=range(len(ONE)))
def test_an_action_is_known_in_whatever_form(action):
    at = dict(layout=(32, 18), start=torch.tensor([20., 40.], requires_grad=True), goal=[torch.tensor(50.), 40])
    env = TwoRoomsEnv(); env.reset(options=at)
    assert env.step(action)[4]['position'].tolist() == [21., 40.]
    env = TwoRoomsVectorEnv(1); env.reset(options=at)
    assert env.step(action)[4]['position'].tolist() == [[21., 40.]]

@pytest.mark.parametrize('action', [1., (1., 2., 3.), 'up', None, (np.nan, 0.), (np.inf, 0.), np.zeros((2, 3)), [[1.], [2.]], [(1., 2.), (3.,)], (1j, 0), {}])
def test_what_is_no_action_is_refused(action):
    for env in (TwoRoomsEnv(), TwoRoomsVectorEnv(2)):
        env.reset(seed=0)
        with pytest.raises(ValueError, match='action'): env.step(action)

def test_wrappers_and_specs():
    w = gymnasium.wrappers
    env = w.RecordEpisodeStatistics(w.TimeLimit(w.FlattenObservation(w.RescaleAction(gymnasium.make(ENV_ID, render_mode='rgb_array'), -1, 1)), 4))
    env.reset(seed=0)
    *_, (obs, _, _, over, info) = [env.step(np.ones(2, np.float32)) for _ in range(4)]
    assert over and info['episode']['l'] == 4 and obs.shape == (2*65*65,)
    again = gymnasium.make(gymnasium.make(ENV_ID, contact='bounce', max_episode_steps=7).spec)
    assert again.unwrapped.contact == 'bounce' and again.spec.max_episode_steps == 7
    assert gymnasium.envs.registration.EnvSpec.from_json(again.spec.to_json()).kwargs == again.spec.kwargs
