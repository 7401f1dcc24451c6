// Whether the reader asked for the newest of each partition. Never remembered: it is an exception.

import { signal } from "@preact/signals";

export const provisionalWanted = signal(false);
