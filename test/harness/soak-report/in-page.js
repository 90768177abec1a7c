/** Runs in the page, for what only a browser can tell. */
({
  coloursDrawn() {
    const counts = {};
    for (const plot of document.querySelectorAll('[data-chart]')) {
      const canvas = plot.querySelector('canvas');
      const pixels =
        canvas?.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data ?? [];
      const colours = new Set();
      for (let index = 0; index < pixels.length; index += 4) {
        if (pixels[index + 3] > 0) colours.add(pixels.slice(index, index + 3).join());
      }
      counts[plot.dataset.chart] = colours.size;
    }
    return counts;
  },

  lowestContrast() {
    const parsed = new Map();
    const parse = (colour) => {
      if (!parsed.has(colour)) parsed.set(colour, paint(colour));
      return parsed.get(colour);
    };
    const paint = (colour) => {
      const canvas = document.createElement('canvas').getContext('2d');
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const luminance = (colour) => {
      const [red, green, blue] = parse(colour)
        .map((value) => value / 255)
        .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const groundOf = (element) => {
      for (let at = element; at !== null; at = at.parentElement) {
        const colour = getComputedStyle(at).backgroundColor;
        if (parse(colour)[3] === 255) return colour;
      }
      return '#fff';
    };
    const hasText = ({ childNodes }) =>
      [...childNodes].some(
        ({ nodeType, textContent }) => nodeType === 3 && textContent.trim() !== '',
      );
    const contrasts = [...document.querySelectorAll('body *')]
      .filter((element) => hasText(element) && !element.closest('script, style, svg, [hidden]'))
      .map((element) => {
        const one = luminance(getComputedStyle(element).color);
        const other = luminance(groundOf(element));
        return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
      });
    return Math.min(...contrasts);
  },
});
