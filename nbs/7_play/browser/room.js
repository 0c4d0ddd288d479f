// The room on the page: a canvas for walls, plans and paths, and above it handles that can be
// dragged with mouse or finger, or focused and moved with the arrow keys.
import { half, high, low } from './world.js';

const clamp = (v, a, b) => Math.min(Math.max(v, a), b);
const MARGIN = 2.6;                                   // pixels between a handle and a wall

export class Room {
  /**
   * `box` is an empty element, `state` is {layout, start, goal} and is changed in place.
   * `handles` lists which of wall, door, start and goal there are; `changed(done)` is called while
   * one moves (false) and when it rests (true); `draw(room)` draws on top of the walls.
   */
  constructor(box, { rooms, colors, state, handles = [], changed = () => {}, draw = () => {} }) {
    Object.assign(this, { box, rooms, colors, state, changed, draw });
    this.from = low(rooms) - 1.5;                     // the part of the image that is shown
    this.span = high(rooms) + 1.5 - this.from;
    this.canvas = box.appendChild(document.createElement('canvas'));
    this.canvas.setAttribute('aria-hidden', 'true');
    this.pen = this.canvas.getContext('2d');
    this.handles = new Map(handles.map(kind => [kind, this.handle(kind)]));
    new ResizeObserver(() => this.paint()).observe(box);
    this.paint();
  }

  // places on the screen

  get size() { return this.box.clientWidth; }
  get scale() { return this.size / this.span; }

  /** The position [x, y] in the room that a pointer is at. */
  at(event) {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top].map(v => this.from + v / this.scale);
  }

  // handles

  handle(kind) {
    const e = this.box.appendChild(document.createElement('button'));
    e.type = 'button';
    e.className = `handle handle-${kind}`;
    e.style.setProperty('--ink', this.colors[{ start: 'dot', goal: 'goal', door: 'door' }[kind]]
                        ?? this.colors.wall);
    if (kind === 'wall' || kind === 'door') {
      e.setAttribute('role', 'slider');
      e.setAttribute('aria-orientation', kind === 'wall' ? 'horizontal' : 'vertical');
      const [least, most] = this.range(kind);
      e.setAttribute('aria-valuemin', least);
      e.setAttribute('aria-valuemax', most);
    } else e.setAttribute('aria-roledescription', 'point that can be moved');
    e.onpointerdown = event => {
      e.setPointerCapture(event.pointerId);
      e.classList.add('held');
    };
    e.onpointermove = event => {
      if (e.hasPointerCapture(event.pointerId)) this.put(kind, this.at(event), false);
    };
    e.onlostpointercapture = () => {
      e.classList.remove('held');
      this.changed(true);
    };
    e.onkeydown = event => this.key(kind, event);
    return e;
  }

  key(kind, event) {
    const keys = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (!(event.key in keys)) return;
    event.preventDefault();
    const step = event.shiftKey ? 5 : 1, [x, y] = this.position(kind);
    this.put(kind, [x + step * keys[event.key][0], y + step * keys[event.key][1]], false);
    clearTimeout(this.rest);
    this.rest = setTimeout(() => this.changed(true), 500);
  }

  /** Where a wall or a door may be: as in the rooms of the training data. */
  range(kind) {
    const pad = kind === 'wall' ? this.rooms.wall_padding : this.rooms.door_padding;
    return [pad, this.rooms.img_size - 1 - pad];
  }

  position(kind) {
    const { layout } = this.state;
    if (kind === 'wall') return [layout.wall_x, high(this.rooms)];
    if (kind === 'door') return [layout.wall_x, layout.door_y];
    return this.state[kind];
  }

  put(kind, [x, y], done) {
    const { layout } = this.state;
    if (kind === 'wall') layout.wall_x = Math.round(clamp(x, ...this.range(kind)));
    else if (kind === 'door') layout.door_y = Math.round(clamp(y, ...this.range(kind)));
    else this.state[kind] = [x, y];
    for (const point of ['start', 'goal']) {
      if (this.state[point]) this.state[point] = this.onFloor(this.state[point]);
    }
    this.paint();
    this.changed(done);
  }

  /** The nearest position that keeps its distance from walls, left or right of the inner one. */
  onFloor([x, y]) {
    const a = low(this.rooms) + MARGIN, b = high(this.rooms) - MARGIN;
    const wall = this.state.layout.wall_x;
    const reach = half(this.rooms) + MARGIN, side = x < wall ? -1 : 1;
    const free = Math.abs(x - wall) < reach ? wall + side * reach : x;
    return [clamp(free, a, b), clamp(y, a, b)];
  }

  place() {
    for (const [kind, e] of this.handles) {
      const [x, y] = this.position(kind);
      e.style.left = `${100 * (x - this.from) / this.span}%`;
      e.style.top = `${100 * (y - this.from) / this.span}%`;
      const where = `x ${Math.round(x)}, y ${Math.round(y)}`;
      if (kind === 'wall' || kind === 'door') {
        e.setAttribute('aria-valuenow', kind === 'wall' ? x : y);
        e.setAttribute('aria-label', `${kind}; arrow keys move it`);
      } else e.setAttribute('aria-label', `${kind}, at ${where}; arrow keys move it`);
    }
  }

  // drawing

  paint() {
    const ratio = window.devicePixelRatio || 1, size = Math.max(1, Math.round(this.size * ratio));
    if (this.canvas.width !== size) this.canvas.width = this.canvas.height = size;
    const scale = size / this.span, { pen } = this;
    pen.setTransform(scale, 0, 0, scale, -this.from * scale, -this.from * scale);
    pen.fillStyle = '#fff';
    pen.fillRect(this.from, this.from, this.span, this.span);
    this.walls();
    this.draw(this);
    this.place();
  }

  walls() {
    const { pen, rooms, state: { layout } } = this, a = low(rooms), b = high(rooms);
    const opening = rooms.door_space + 0.5;
    pen.globalAlpha = 1;
    pen.strokeStyle = pen.fillStyle = this.colors.wall;
    pen.lineWidth = 1;
    pen.strokeRect(a, a, b - a, b - a);
    const left = layout.wall_x - rooms.wall_width / 2;
    pen.fillRect(left, a, rooms.wall_width, layout.door_y - opening - a);
    pen.fillRect(left, layout.door_y + opening, rooms.wall_width, b - layout.door_y - opening);
  }

  /** A line through points given as a flat list x, y, x, y, ... */
  line(points, { color, width = 0.4, alpha = 1, dash = [] }) {
    const { pen } = this;
    pen.globalAlpha = alpha;
    pen.strokeStyle = color;
    pen.lineWidth = width;
    pen.lineJoin = pen.lineCap = 'round';
    pen.setLineDash(dash);
    pen.beginPath();
    for (let i = 0; i < points.length; i += 2) pen.lineTo(points[i], points[i + 1]);
    pen.stroke();
    pen.setLineDash([]);
    pen.globalAlpha = 1;
  }

  /** Marks at points given as a flat list: 'dot', 'triangle', 'diamond' or 'star'. */
  marks(points, { color, radius = 0.5, shape = 'dot', rim = null, alpha = 1 }) {
    const { pen } = this, corners = { triangle: 3, diamond: 4, star: 10 }[shape];
    pen.globalAlpha = alpha;
    pen.fillStyle = color;
    for (let i = 0; i < points.length; i += 2) {
      pen.beginPath();
      if (shape === 'dot') pen.arc(points[i], points[i + 1], radius, 0, 2 * Math.PI);
      for (let k = 0; k < (corners ?? 0); k++) {
        const r = shape === 'star' && k % 2 ? 0.42 * radius : radius;
        const angle = 2 * Math.PI * k / corners - Math.PI / 2;
        pen.lineTo(points[i] + r * Math.cos(angle), points[i + 1] + r * Math.sin(angle));
      }
      pen.closePath();
      pen.fill();
      if (rim) {
        pen.strokeStyle = rim;
        pen.lineWidth = 0.3;
        pen.stroke();
      }
    }
    pen.globalAlpha = 1;
  }

  ring([x, y], radius, { color, width = 0.3, dash = [] }) {
    const { pen } = this;
    pen.strokeStyle = color;
    pen.lineWidth = width;
    pen.setLineDash(dash);
    pen.beginPath();
    pen.arc(x, y, radius, 0, 2 * Math.PI);
    pen.stroke();
    pen.setLineDash([]);
  }
}
