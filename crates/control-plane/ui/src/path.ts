// Paths of SVG in a box of 1000 by 1000, which the page stretches to any size.

export type Point = [x: number, y: number];
export const SIZE = 1000;

const text = ([x, y]: Point) => `${x.toFixed(1)} ${y.toFixed(1)}`;

export const line = (points: Point[]): string => (points.length === 0 ? "" : `M${points.map(text).join("L")}`);

/** For values that stay until they change. */
export function steps(points: Point[]): string {
  const corners = points.flatMap((point, at): Point[] => {
    const before = points[at - 1];
    return before ? [[point[0], before[1]], point] : [point];
  });
  return line(corners);
}

export const band = (upper: Point[], lower: Point[]): string => (upper.length < 2 ? "" : `${line([...upper, ...[...lower].reverse()])}Z`);

export const across = (y: number): string => `M0 ${y.toFixed(1)}H${SIZE}`;
