// What stands where numbers will be. Nothing moves, and for the first 300 ms nothing is there at all: most answers come sooner.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

const PATIENCE_MS = 300;

export function Skeleton() {
  const late = useSignal(false);
  useEffect(() => {
    const timer = setTimeout(() => (late.value = true), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, []);
  return (
    <div class="in" role="status" aria-label="Loading">
      {late.value && (
        <div class="card sks">
          <div class="sk w72" />
          <div class="sk w54" />
          <div class="sk w90 tall" />
          <div class="sk w90 tall" />
        </div>
      )}
    </div>
  );
}
