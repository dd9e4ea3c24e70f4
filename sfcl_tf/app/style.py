"""How the page looks, in light and dark: no file and no font from elsewhere."""

from sfcl_tf.detect.sheet import COLORS
from sfcl_tf.evaluation.plots import GREY
from sfcl_tf.system.html import render

CSS = render("app/style.css.j2", colors=COLORS, grey=GREY)

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
