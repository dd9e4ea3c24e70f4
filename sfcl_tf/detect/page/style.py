"""How the page looks, in light and dark: no file and no font from elsewhere."""

from sfcl_tf.evaluation.plots import FAKE, GREY, REAL

UNCERTAIN = "#8a6d00"

CSS = f"""
.gradio-container {{ max-width: 60rem !important; margin: 0 auto !important;
  --fake: {FAKE}; --real: {REAL}; --uncertain: {UNCERTAIN}; --none: {GREY};
  --dim: color-mix(in srgb, var(--body-text-color) 72%, transparent); }}
header h1 {{ font-size: 1.6rem; font-weight: 700; margin: 0.4rem 0; }}
.gradio-container .html-container {{ padding: 0; }}
.model, .file, .facts {{ color: var(--dim); font-size: 0.9rem; }}
.model, .file {{ overflow-wrap: anywhere; }}
.limits {{ border-left: 0.25rem solid var(--fake); padding-left: 0.8rem;
  margin: 0.6rem 0 0; }}
.card {{ border: 1px solid var(--border-color-primary); border-radius: 0.5rem;
  background: var(--block-background-fill); padding: 0.9rem 1rem; }}
.card h2 {{ font-size: 1.15rem; font-weight: 600; margin: 0 0 0.5rem; }}
.card p {{ margin: 0 0 0.6rem; }}
.card.waiting {{ min-height: 8rem; display: flex; align-items: flex-end; }}
.card.waiting p {{ margin: 0; }}
#stop, #report {{ flex: none; width: fit-content; padding: 0.35rem 1.2rem; }}
.badge {{ display: inline-block; color: #fff; border-radius: 0.4rem;
  padding: 0.1rem 0.7rem; margin-right: 0.4rem; font-weight: 700;
  text-transform: uppercase; letter-spacing: 0.03em; }}
.badge.fake {{ background: var(--fake); }} .badge.real {{ background: var(--real); }}
.badge.uncertain {{ background: var(--uncertain); }}
.badge.none, .badge.no_face {{ background: var(--none); }}
.gauge {{ margin: 1rem 0.4rem 1.6rem; }}
.gauge .bar {{ position: relative; display: flex; height: 0.8rem; }}
.gauge .bar i {{ display: block; height: 100%; opacity: 0.45; }}
.gauge .real {{ background: var(--real); }} .gauge .fake {{ background: var(--fake); }}
.gauge .uncertain {{ background: var(--none); }}
.gauge .bar b {{ position: absolute; top: -0.3rem; width: 0.35rem; height: 1.4rem;
  margin-left: -0.175rem; border-radius: 0.2rem; background: var(--body-text-color); }}
.gauge .ticks {{ position: relative; height: 1.2rem; font-size: 0.8rem;
  color: var(--dim); }}
.gauge .ticks span {{ position: absolute; transform: translateX(-50%); top: 0.3rem;
  white-space: nowrap; }}
.gauge .ticks span:nth-last-child(2) {{ transform: none; }}
.gauge .ticks span:last-child {{ transform: translateX(-100%); }}
.wide {{ overflow-x: auto; width: 0; min-width: 100%; }}
#verdict table {{ border-collapse: collapse; font-size: 0.9rem; margin: 0 0 0.8rem; }}
#verdict th, #verdict td {{ padding: 0.15rem 0.9rem 0.15rem 0; text-align: left;
  border: none; border-bottom: 1px solid var(--border-color-primary); }}
#verdict table, #verdict thead, #verdict tr {{ border: none; }}
#verdict h2 {{ display: flex; flex-wrap: wrap; gap: 0.4rem; align-items: center; }}
.swatch {{ display: inline-block; width: 0.8rem; height: 0.8rem; margin-right: 0.4rem;
  border-radius: 0.2rem; }}
.care {{ border-left: 0.25rem solid var(--uncertain); padding-left: 0.8rem;
  margin: 0 0 0.8rem; }}
.care ul {{ margin: 0; padding-left: 1.1rem; list-style: disc; }}
.plot {{ position: relative; height: 12.5rem; margin: 0.8rem 0.5rem 1rem 0; }}
.plot .area {{ position: absolute; inset: 0.6rem 0.6rem 1.6rem 2.6rem;
  border-left: 1px solid var(--none); border-bottom: 1px solid var(--none); }}
.plot svg {{ position: absolute; inset: 0; width: 100%; height: 100%;
  overflow: visible; }}
.plot polyline {{ fill: none; stroke: var(--dim); stroke-width: 2;
  stroke-linejoin: round; vector-effect: non-scaling-stroke; }}
.plot rect.fake {{ fill: var(--fake); opacity: 0.13; }}
.plot rect.real {{ fill: var(--real); opacity: 0.13; }}
.plot > span {{ position: absolute; font-size: 0.8rem;
  color: var(--dim); }}
.plot .top {{ left: 0; width: 2.2rem; text-align: right; top: 0; }}
.plot .mid {{ left: 0; width: 2.2rem; text-align: right; top: calc(50% - 1.1rem); }}
.plot .bottom {{ left: 0; width: 2.2rem; text-align: right; bottom: 1rem; }}
.plot .from {{ left: 2.6rem; bottom: 0; }} .plot .to {{ right: 0.6rem; bottom: 0; }}
.plot .moment {{ position: absolute; width: 0.95rem; height: 0.95rem; padding: 0;
  margin: -0.475rem; border-radius: 50%; border: 2px solid
  var(--block-background-fill); cursor: pointer; }}
.plot .moment.fake {{ background: var(--fake); }}
.plot .moment.real {{ background: var(--real); }}
.plot .moment.uncertain {{ background: var(--uncertain); }}
.plot .moment.on, .plot .moment:hover {{ z-index: 2; border-color:
  var(--body-text-color); transform: scale(1.25); }}
.strip {{ display: flex; gap: 0.5rem; overflow-x: auto; width: 0; min-width: 100%;
  padding: 0.3rem 0.2rem 0.6rem; }}
.strip .moment {{ flex: none; width: 6.3rem; padding: 0.15rem; cursor: pointer;
  border: 2px solid transparent; border-radius: 0.4rem; background: none;
  color: inherit; font-size: 0.8rem; display: grid; grid-template-columns: 1fr auto; }}
.strip .moment img {{ grid-column: 1 / 3; width: 100%; height: auto; margin: 0;
  border-radius: 0.3rem; display: block; }}
.strip .moment span {{ text-align: left; white-space: nowrap; }}
.strip .swatch {{ width: 0.55rem; height: 0.55rem; margin-right: 0.2rem; }}
.strip .moment.on, .strip .moment:hover {{ border-color: var(--body-text-color); }}
.moment:focus-visible {{ outline: 2px solid var(--real); outline-offset: 2px; }}
.explained figure {{ margin: 0.8rem 0; }}
.explained img {{ display: block; width: 100%; height: auto; margin: 0;
  background: #fff; border-radius: 0.3rem; }}
.explained .chart {{ overflow-x: auto; width: 0; min-width: 100%; }}
.explained .chart img {{ min-width: 34rem; }}
.explained .where {{ display: flex; flex-wrap: wrap; gap: 1.2rem; }}
.explained .whole {{ flex: 1 1 16rem; max-width: 28rem; margin: 0.3rem 0; }}
.explained .whole div {{ position: relative; }}
.where dl {{ flex: 1 1 12rem; display: grid; grid-template-columns: auto 1fr;
  gap: 0.2rem 1rem; align-content: start; margin: 0.3rem 0; }}
.where dt {{ color: var(--dim); }} .where dd {{ margin: 0; }}
.whole i {{ position: absolute; border: 3px solid var(--none); border-radius: 0.2rem; }}
.whole .fake {{ border-color: var(--fake); }}
.whole .real {{ border-color: var(--real); }}
.whole .uncertain {{ border-color: var(--uncertain); }}
.card summary {{ cursor: pointer; font-weight: 600; }}
"""

# The chosen moment is marked at once, before the answer is there.
CHOOSE = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-moment]');
  if (!button) return;
  const moment = Number(button.dataset.moment);
  for (const each of element.querySelectorAll('[data-moment]'))
    each.classList.toggle('on', Number(each.dataset.moment) === moment);
  trigger('select', {index: moment});
});
"""

# A file is made when it is asked for; the browser then fetches it by this.
FETCH = "() => setTimeout(() => document.querySelector('#report-file').click(), 300)"
