// Line charts in SVG.

const SPAN = 120; // samples
const [WIDTH, HEIGHT] = [240, 64];

function svg(tag, attributes) {
  const made = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

/** The number at or above most that a scale ends with: 1, 2 or 5 and zeros, of thousands or of 1024. */
export function top(most, base = 10) {
  if (!(most > 0)) return 1;
  if (base === 1024) return 2 ** Math.ceil(Math.log2(most));
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 5, 10].find((n) => n * power >= most) * power;
}

/**
 * A chart of the newest samples. Series is a list of names; say turns a value
 * into words. Bytes are scaled by powers of two.
 */
export class Chart {
  #series;
  #say;
  #base;
  #figure;
  #scale;
  #image;

  constructor(figure, series, say, base = 10) {
    this.#figure = figure;
    this.#say = say;
    this.#base = base;
    this.#image = svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img' });
    this.#image.append(svg('path', { class: 'grid', d: `M0 .5H${WIDTH}M0 ${HEIGHT / 2}H${WIDTH}M0 ${HEIGHT - 0.5}H${WIDTH}` }));
    this.#scale = Object.assign(document.createElement('span'), { className: 'scale' });
    this.#series = series.map((name, n) => this.#begin(name, n));
    const plot = Object.assign(document.createElement('div'), { className: 'plot' });
    plot.append(this.#image, this.#scale);
    figure.append(plot);
  }

  #begin(name, n) {
    const area = svg('path', { class: `area s${n}` }), line = svg('path', { class: `line s${n}` });
    this.#image.append(area, line);
    return { name, area, line, samples: [], value: this.#figure.querySelector(`[data-series="${n}"]`) };
  }

  /** Takes the values of now, one for each series, and draws. Undefined: not known. */
  add(...values) {
    values.forEach((value, n) => {
      const { samples } = this.#series[n];
      samples.push(value);
      if (samples.length > SPAN) samples.shift();
    });
    this.#draw();
  }

  #draw() {
    const known = this.#series.flatMap(({ samples }) => samples).filter((value) => value !== undefined);
    const limit = top(Math.max(0, ...known), this.#base);
    this.#scale.textContent = this.#say(limit);
    for (const series of this.#series) this.#drawSeries(series, limit);
    this.#image.setAttribute('aria-label', this.#series.map(({ name, samples }) => `${name}: ${this.#words(samples)}`).join(', '));
  }

  #drawSeries({ samples, line, area, value }, limit) {
    const x = (n) => ((SPAN - samples.length + n) * WIDTH / (SPAN - 1)).toFixed(1);
    const y = (sample) => (HEIGHT - 1 - (HEIGHT - 2) * sample / limit).toFixed(1);
    const points = samples.flatMap((sample, n) => sample === undefined ? [] : [`${x(n)} ${y(sample)}`]);
    const first = samples.findIndex((sample) => sample !== undefined);
    line.setAttribute('d', points.length ? `M${points.join('L')}` : '');
    area.setAttribute('d', points.length ? `M${x(first)} ${HEIGHT}L${points.join('L')}L${x(samples.length - 1)} ${HEIGHT}Z` : '');
    value.textContent = this.#words(samples);
  }

  #words(samples) {
    const last = samples.at(-1);
    return last === undefined ? '-' : this.#say(last);
  }
}
