"The world keeps its laws, judged by a geometry written a second time, in float64; and all its faces and pictures agree."
import itertools
import gymnasium, numpy as np, pytest, torch
from jepa_tutorial.tools.devices import rng
from jepa_tutorial import ENV_ID
from jepa_tutorial.planning.cem import limit_norm
from jepa_tutorial.world.environment import TwoRoomsEnv, TwoRoomsVectorEnv
from jepa_tutorial.world.two_rooms import (
    draw_walls, GOAL_RADIUS, Layout, move, render, sample_free, sample_layouts
)

LOW, HIGH, HALF, OPEN = 4., 60., 1., 4.     # the border's lines, half of the wall, half of the door (in pixels, from the middle of the wall or door)
TOLERANCE = 1e-4                            # pixels: nearer than this to a corner or a face, float32 may decide either way

def on_floor(p, door):
    "Is p [n,2] strictly inside the border and not in the wall? Exact: no tolerance."
    x, y = np.abs(p - door).T
    return ((p > LOW) & (p < HIGH)).all(1) & ~((x <= HALF) & (y >= OPEN))

def meets_box(p, q, low, high):
    "Does the segment p-q touch the box? By separating axes: neither its sides nor the segment's normal part the two."
    m, d, e = (p + q - low - high)/2, (q - p)/2, (high - low)/2
    apart = np.abs(m) > e + np.abs(d)
    cross = np.abs(d[:, 0]*m[:, 1] - d[:, 1]*m[:, 0]) > e[:, 0]*np.abs(d[:, 1]) + e[:, 1]*np.abs(d[:, 0])
    return (e >= 0).all(1) & ~apart.any(1) & ~cross

def wall_boxes(door, grow=0.):
    "The two pieces of the inner wall, above and below the door, larger by `grow` (one number, or one each for x and y) on every side."
    x, y = np.broadcast_to(grow, 2)
    half, near, far = HALF + x, OPEN - y, 100.
    yield door + (-half, -far), door + (half, -near)
    yield door + (-half, near), door + (half, far)

def outside(q, grow=0.): return ((q <= LOW + grow) | (q >= HIGH - grow)).any(1)
def blocked(p, q, door, grow=0.):
    "Does the way from p to q touch a wall that is larger by `grow`?"
    return outside(q, grow) | np.logical_or(*(meets_box(p, q, *b) for b in wall_boxes(door, grow)))

def first_contact(p, a, door, grow):
    "The first place [n,2] at which the way from p along a meets the border, or the inner wall larger by `grow`."
    with np.errstate(divide='ignore', invalid='ignore'):
        t = np.where(a > 0, (HIGH - p)/a, np.where(a < 0, (LOW - p)/a, np.inf)).min(1)
        for low, high in wall_boxes(door, grow):
            s = np.sort([np.where(a == 0, np.where((p >= low) & (p <= high), sign*np.inf, np.inf), (edge - p)/a) for sign, edge in ((-1, low), (1, high))], 0)
            enter, leave = s[0].max(1), s[1].min(1)
            t = np.minimum(t, np.where((enter <= leave) & (leave >= 0), np.maximum(enter, 0), np.inf))
    return p + np.clip(t, 0, 1)[:, None]*a

def up(v): return np.nextafter(np.float32(v), np.float32(99))
def down(v): return np.nextafter(np.float32(v), np.float32(0))

def pick(chance, *choices):
    "One of the choices [n] for each."
    return np.choose(chance.integers(len(choices), size=len(choices[0])), choices)

def starts(chance, door):
    "Legal places: anywhere, in and around the doorway, and as near as float32 comes to borders, faces and jambs, or on the faces within the door."
    n, (w, d) = len(door), door.T.astype(np.float32)
    anywhere, near = chance.uniform(LOW, HIGH, (2, n)), door.T + chance.normal(0, 3, (2, n))
    x = pick(chance, anywhere[0], near[0], near[0], np.full(n, up(LOW)), np.full(n, down(HIGH)), down(w - 1), up(w + 1), w - 1, w + 1, w, down(w + 1), up(w - 1))
    y = pick(chance, anywhere[1], near[1], near[1], np.full(n, up(LOW)), np.full(n, down(HIGH)), up(d - 4), down(d + 4), d - 4, d + 4, d, np.round(anywhere[1]))
    p = np.stack([x, y], 1).astype(np.float32)
    while not (good := on_floor(p.astype(float), door)).all(): p[~good] = chance.uniform(LOW, HIGH, ((~good).sum(), 2))
    return p

def actions(chance, p, door):
    "From far too small to far too large, along the axes, through the door, and to places on borders, faces and jambs."
    n = len(p)
    size = 10**pick(chance, chance.uniform(-9, -2, n), chance.uniform(-1, .39, n), chance.uniform(.39, 2, n), chance.uniform(2, 30, n))
    angle = chance.uniform(0, 2*np.pi, n)
    a = size[:, None]*np.stack([np.cos(angle), np.sin(angle)], 1)
    a = np.where((chance.random(n) < .1)[:, None] & (np.arange(2) == chance.integers(2, size=(n, 1))), pick(chance, *np.repeat([[0.], [-0.], [1e-20], [-1e-20], [1e-45]], n, 1))[:, None], a)
    a = np.where((chance.random(n) < .3)[:, None], door + chance.uniform(-5, 5, (n, 2)) - p, a)          # near the door
    return np.where((chance.random(n) < .2)[:, None], starts(chance, door) - p, a).astype(np.float32)    # touching something

def check_move(p, a, door, q, contact):
    "The laws of one step from p to q, all [n,2] in float64. Returns who was blocked and who went through the door."
    target = (p.astype(np.float32) + a.astype(np.float32)).astype(float)
    must, may = blocked(p, p + a, door, -TOLERANCE), blocked(p, p + a, door, TOLERANCE)
    free = (q == target).all(1)
    assert on_floor(q, door).all(), 'a dot stands in a wall or outside'
    assert free[~may].all(), 'a free way was not gone to its end'
    crossed = np.sign(p - door)[:, 0]*np.sign(q - door)[:, 0] < 0
    if contact == 'stop':
        assert (free | (q == p).all(1)).all() and (q == p)[must].all(), 'a blocked dot did not stay where it was'
        assert not blocked(p, q, door, -TOLERANCE)[~must].any(), 'a dot passed through a wall'
        across = crossed & (p != q).all(1)
        y = p[across, 1] + (door - p)[across, 0]/(q - p)[across, 0]*(q - p)[across, 1]
        assert (np.abs(y - door[across, 1]) < OPEN).all(), 'the side changed, but not in the door'
    else: check_bounce(p[must], a[must], door[must], q[must])
    return must, crossed

def check_bounce(p, a, door, q):
    "A dot thrown back rests 0.3 pixels clear of every wall, near the contact, and on the same side of the wall, unless the contact was in the doorway."
    assert not blocked(q, q, door, .3 - TOLERANCE).any(), 'too near to a wall'
    fits = False
    for grow in itertools.product((-TOLERANCE, TOLERANCE), repeat=2):       # a way that grazes a corner meets it, or something far behind it
        c = first_contact(p, a, door, grow)
        in_door = (np.abs(c - door) <= (HALF + 2*TOLERANCE, OPEN + 2*TOLERANCE)).all(1)
        same = np.sign(q - door)[:, 0] == np.sign(c - door)[:, 0]
        fits |= (np.abs(q - c).max(1) < 4) & (same | in_door)               # four pixels are eight standard deviations
    lost = ~np.broadcast_to(fits, len(p))
    assert not lost.any(), f'thrown too far, or through the wall: from {p[lost][:3]} by {a[lost][:3]} to {q[lost][:3]}, door {door[lost][:3]}'

@pytest.mark.promise('The dot is never in a wall, never outside the room, and never passes the wall but through the door, whatever the action, from wherever it starts, for both kinds of contact.',
                     moves=(200_000, 10_000_000))
def test_nobody_passes_a_wall(size, record_property):
    chance, g, n = np.random.default_rng(0), rng(0), 20_000
    count = dict(moves=0, blocked=0, through_the_door=0)
    for i in range(size['moves']//n):
        contact = ('stop', 'bounce')[i % 2]
        layout = sample_layouts(n, generator=g)
        door = torch.stack(layout, 1).numpy().astype(float)
        p = starts(chance, door)
        for _ in range(2):                                  # half of the moves go on from where the others ended
            a = actions(chance, p[:n//2], door[:n//2])
            own = Layout(*(v[:n//2] for v in layout))
            q = move(torch.from_numpy(p[:n//2]), torch.from_numpy(a), own, contact=contact, generator=g).numpy()
            hit, crossed = check_move(*(v.astype(float) for v in (p[:n//2], a, door[:n//2], q)), contact)
            p[:n//2] = q
            for k, v in zip(count, (len(q), hit.sum(), crossed.sum())): count[k] += int(v)
    assert count['moves'] == size['moves'] and count['blocked'] > .3*size['moves'] and count['through_the_door'] > .02*size['moves']
    for k in count: record_property(k, count[k])

def test_a_face_within_the_door_is_floor_and_its_jamb_is_a_wall():
    "From the middle of either face, straight down or a hair beside it: the jamb is met."
    for x in (31., 33.):
        for dx in (0., -0., 1e-10, -1e-10, 1e-20, -1e-20, 1e-45):
            p, a = torch.tensor([[x, 18.]]), torch.tensor([[dx, 9.]])
            assert torch.equal(move(p, a, Layout(torch.tensor([32]), torch.tensor([18]))), p)

# four ways through the same world

def episodes_to_try(n, steps, chance):
    "Rooms, starts and goals (often near each other) and actions [steps,n,2] from tiny to far over the limit, float32."
    layout = sample_layouts(n, generator=chance)
    start = sample_free(layout, margin=.01, generator=chance)
    other = sample_free(layout, margin=.01, generator=chance)
    goal = torch.where(torch.rand(n, 1, generator=chance) < .5, other, move(start, 4*torch.randn(n, 2, generator=chance), layout))
    size = 10**(4*torch.rand(steps, n, 1, generator=chance) - 2)
    return layout, start, goal, size*torch.randn(steps, n, 2, generator=chance)

def in_a_batch(layout, start, goal, action, ends):
    "What `move` and `render` make of it: per step, positions, pictures, distances, rewards, terminations."
    p = start
    for a in action:
        p = move(p, limit_norm(a, 2.45), layout)
        d = (p - goal).norm(dim=-1)
        yield p.numpy(), render(p, layout).numpy(), d.numpy(), (d < GOAL_RADIUS).numpy(), (d < GOAL_RADIUS).numpy() & ends

def in_a_vector(env, layout, start, goal, action, tensors):
    see = (lambda v: v.numpy()) if tensors else (lambda v: v)
    env.reset(seed=0, options=dict(layout=layout, start=start, goal=goal))
    for a in action:
        obs, reward, end, _, info = env.step(a if tensors else a.numpy())
        yield tuple(map(see, (info['position'], obs, info['distance'], reward, end)))

@pytest.mark.promise('Four ways through the world agree to the bit: `move` for a batch, `move` for one dot, the Gymnasium environment, the vector environment. Positions, pictures, distances, rewards, ends.',
                     steps=(500, 10_000))
def test_all_faces_of_the_world_agree(size, record_property):
    T = 25; n = size['steps']//T
    ended = 0
    for ends in (False, True):
        layout, start, goal, action = what = episodes_to_try(n//2, T, rng(int(ends)))
        batch = list(in_a_batch(*what, ends))
        kw = dict(num_envs=n//2, terminate_on_success=ends, max_steps=T)
        vectors = [list(in_a_vector(TwoRoomsVectorEnv(tensors=t, **kw), *what, t)) for t in (False, True)]
        for i in range(n//2):
            own, p = Layout(*(v[i] for v in layout)), start[i]
            env = gymnasium.make(ENV_ID, terminate_on_success=ends, max_steps=T) if i % 2 else TwoRoomsEnv(terminate_on_success=ends, max_steps=T)
            env.reset(options=dict(layout=[int(v) for v in own], start=start[i].numpy(), goal=goal[i].numpy()))
            for t in range(T):
                p = move(p, limit_norm(action[t, i], 2.45), own)
                want = [v[i] for v in batch[t]]
                assert np.array_equal(p.numpy(), want[0]) and (t % 5 or np.array_equal(render(p, own).numpy(), want[1]))
                obs, reward, end, late, info = env.step(action[t, i].numpy())
                for got in ((info['position'], obs, np.float32(info['distance']), reward, end), *([v[i] for v in vec[t]] for vec in vectors)):
                    assert all(np.array_equal(g, w) for g, w in zip(got, want)), f'step {t} of room {i} differs'
                assert late == (t == T - 1)
                if end: ended += 1; break                      # a vector environment begins anew, a lone one waits for reset
    assert ended > n//20
    record_property('rooms', n); record_property('ended_at_the_goal', ended)

@pytest.mark.parametrize('tensors', [False, True])
def test_one_room_bounces_alike_everywhere(tensors):
    "With the same chance, an environment, a vector of one and `move` throw a dot back to the same place."
    layout, start, goal, action = episodes_to_try(1, 200, rng(0))
    kw, opt = dict(contact='bounce', max_steps=1000), dict(layout=layout, start=start, goal=goal)
    env, vec = TwoRoomsEnv(**kw), TwoRoomsVectorEnv(1, tensors=tensors, **kw)
    env.reset(options=opt); vec.reset(options=opt)
    env.generator, vec.generator, g, p, hits = rng(4), rng(4), rng(4), start, 0
    for a in action:
        q = move(p, limit_norm(a, 2.45), layout, contact='bounce', generator=g)
        hits += int((q != p + limit_norm(a, 2.45)).any())
        one, many = env.step(a[0].numpy())[4]['position'], vec.step(a if tensors else a.numpy())[4]['position']
        assert np.array_equal(one, q[0].numpy()) and np.array_equal(np.asarray(many), q.numpy())
        p = q
    assert hits > 20

# pictures

def paint_slowly(p, layout):
    "Pixel after pixel, in float64, as the world's description says: uint8 [n,2,65,65]."
    i = np.arange(65.)
    p, w, d = p.double().numpy(), *(v.numpy().astype(float) for v in layout)
    dot = np.floor(255*np.exp(-((i - p[:, :1])[:, None]**2 + ((i - p[:, 1:])[:, :, None])**2)/(2*1.3**2)))
    inner = (np.abs(i - d[:, None]) > 4)[:, :, None] & (np.abs(i - w[:, None]) <= 1)[:, None]
    edge = np.isin(i, (4, 60))
    return np.stack([dot, 255*(inner | edge | edge[:, None])], 1).astype(np.uint8)

@pytest.mark.promise('A picture does not depend on what is drawn beside it: any size of batch, layout in memory and number of threads gives the same bytes, within one grey level of a slow painter in float64.',
                     pictures=(1_000, 20_000))
def test_pictures_are_the_same_however_they_are_drawn(size, record_property):
    g, threads, off, pixels = rng(0), torch.get_num_threads(), 0, 0
    try:
        for _ in range(size['pictures']//1000):
            n = 1000
            layout = sample_layouts(n, generator=g); p = sample_free(layout, margin=0., generator=g)
            torch.set_num_threads(1); want = render(p, layout)
            torch.set_num_threads(2); assert torch.equal(render(p, layout), want)
            for k in (1, 3, 16, 257): parts = [render(p[i:i+k], Layout(*(v[i:i+k] for v in layout))) for i in range(0, min(n, 60*k), k)]; assert torch.equal(torch.cat(parts), want[:60*k])
            apart = torch.full((n, 7), torch.nan)[:, 1:6:3].copy_(p); assert torch.equal(render(apart, layout), want)
            columns = torch.empty(2, n).T.copy_(p); assert torch.equal(render(columns, layout), want)
            folded = render(p.view(10, 100, 2), Layout(*(v.view(10, 100) for v in layout))); assert torch.equal(folded.view_as(want), want)
            assert torch.equal(render(p, layout, walls=draw_walls(layout)), want)
            slow = paint_slowly(p, layout)
            assert np.array_equal(slow[:, 1], want[:, 1].numpy())
            gap = np.abs(slow[:, 0].astype(int) - want[:, 0].numpy()); assert gap.max() <= 1
            off += int((gap > 0).sum()); pixels += gap.size
    finally: torch.set_num_threads(threads)
    record_property('pixels_compared', pixels); record_property('pixels_one_level_off', off)

ACCELERATOR = 'cuda' if torch.cuda.is_available() else 'mps' if torch.backends.mps.is_available() else None

@pytest.mark.skipif(ACCELERATOR is None, reason='needs a GPU or Apple silicon')
def test_an_accelerator_draws_the_same_pictures():
    "The same walls; dots at most one grey level apart, and that in fewer than one pixel in ten thousand."
    layout = sample_layouts(2000, generator=rng(0)); p = sample_free(layout, generator=rng(1))
    cpu = render(p, layout).int()
    other = render(p.to(ACCELERATOR), Layout(*(v.to(ACCELERATOR) for v in layout))).cpu().int()
    gap = (cpu - other).abs()
    assert gap[:, 1].max() == 0 and gap.max() <= 1 and gap.float().mean() < 1e-4
