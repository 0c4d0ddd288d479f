// The world: two rooms, a wall, a door, a dot, by the rules of jepa_tutorial/world/two_rooms.py.
// `rooms` holds its lengths in pixels (from the manifest), `layout` is {wall_x, door_y}.

/** Lengths that follow from others: borders, and half of the wall's width. */
export const low = rooms => rooms.border - 1;
export const high = rooms => rooms.img_size - rooms.border;
export const half = rooms => Math.floor(rooms.wall_width / 2);

const clamp = (v, a, b) => Math.min(Math.max(v, a), b);

/** Does the straight segment from [x, y] to [x + dx, y + dy] touch a wall? */
export function isBlocked([x, y], [dx, dy], layout, rooms) {
  const middle = (low(rooms) + high(rooms)) / 2, reach = (high(rooms) - low(rooms)) / 2;
  const h = half(rooms);
  if (Math.max(Math.abs(x + dx - middle), Math.abs(y + dy - middle)) >= reach) return true;
  // relative to the middle of the door
  const x0 = x - layout.wall_x, y0 = y - layout.door_y, x1 = x0 + dx, y1 = y0 + dy;
  if (Math.min(x0, x1) > h || Math.max(x0, x1) < -h) return false;
  const slope = dy / (dx + 1e-20);
  const height = (px, py) => Math.abs(py + (clamp(px, -h, h) - px) * slope);
  return Math.max(height(x0, y0), height(x1, y1)) >= rooms.door_space;
}

/** One step of the world: a blocked dot stays where it is (contact 'stop'). */
export function move(position, action, layout, rooms) {
  if (isBlocked(position, action, layout, rooms)) return [...position];
  return [position[0] + action[0], position[1] + action[1]];
}

/** Is this a position on the floor? */
export const isFree = (position, layout, rooms) => !isBlocked(position, [0, 0], layout, rooms);

/** The image of a room, uint8 [2, H, W]: the dot, a Gaussian bump, and the walls. */
export function render([x, y], layout, rooms) {
  const size = rooms.img_size, image = new Uint8Array(2 * size * size);
  const reach = Math.floor(rooms.dot_std * Math.sqrt(2 * Math.log(255)) + 0.5);
  const around = v => clamp(Math.round(v), reach, size - 1 - reach);
  for (let j = around(y) - reach; j <= around(y) + reach; j++) {
    for (let i = around(x) - reach; i <= around(x) + reach; i++) {
      const d2 = (i - x) ** 2 + (j - y) ** 2;
      image[j * size + i] = Math.floor(255 * Math.exp(-d2 / (2 * rooms.dot_std ** 2)));
    }
  }
  const edge = i => i === low(rooms) || i === high(rooms);
  for (let j = 0; j < size; j++) {
    const closed = Math.abs(j - layout.door_y) > rooms.door_space;
    for (let i = 0; i < size; i++) {
      const inner = closed && Math.abs(i - layout.wall_x) <= half(rooms);
      if (inner || edge(i) || edge(j)) image[size * size + j * size + i] = 255;
    }
  }
  return image;
}
