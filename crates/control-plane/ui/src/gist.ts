// What a sentence says besides its numbers: those change with every look, and that is no news.

const NUMBER = /[−+×<]?\d[\d.,:]*(\s?(%|s|min|h|d|M|bn)(?![\p{L}\d]))?/gu;

export const gist = (text: string): string => text.replace(NUMBER, "#").replace(/#( #)+/g, "#");
