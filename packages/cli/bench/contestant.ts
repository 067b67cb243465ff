/** What is measured: programs that do the same work in different ways. */

/** A comparison: everything in one chart does the same work. */
export interface Chart {
  /** Its name in JSON. */
  readonly name: ChartName;
  /** Its title. */
  readonly title: string;
  /** The unit of its figures. */
  readonly unit: "µs" | "messages/s" | "bytes/s";
  /** Which figures are good. */
  readonly better: "lower" | "higher";
  /** Bytes of a message. */
  readonly size: number;
}

/** The name of a comparison. */
export type ChartName = "roundTrip" | "messages" | "bandwidth64KiB" | "bandwidth1MiB";

/** Every comparison, in the order of the report. */
export const charts: readonly Chart[] = [
  { name: "roundTrip", title: "Round trip, 64 B", unit: "µs", better: "lower", size: 64 },
  { name: "messages", title: "Messages a second, 64 B", unit: "messages/s", better: "higher", size: 64 },
  {
    name: "bandwidth64KiB",
    title: "Bandwidth, messages of 64 KiB",
    unit: "bytes/s",
    better: "higher",
    size: 64 * 1024,
  },
  {
    name: "bandwidth1MiB",
    title: "Bandwidth, messages of 1 MiB",
    unit: "bytes/s",
    better: "higher",
    size: 1024 * 1024,
  },
];

/** One thing that a contestant is asked to do. */
export interface Case {
  /** The comparison that it belongs to. */
  readonly chart: ChartName;
  /** How it is done, such as `"sync"`. */
  readonly name: string;
  /** What its program is told. */
  readonly test: string;
  /** How it should compare with C: at most so many times C's where lower is better, at least where higher is. */
  readonly goal?: number | undefined;
}

/** Who did it: this library, C, or another way to do it. */
export type Kind = "ours" | "c" | "peer";

/**
 * A program that measures one way to talk, between itself and a process that it starts.
 *
 * It prints `{"ready":true,"pids":[…]}` with the processes that it has started, then obeys lines on its standard
 * input, `TEST SIZE COUNT`, and answers each with one line of JSON: a {@linkcode Figures}, or `{"error":"…"}` where it
 * cannot do that but goes on. It ends with its input.
 */
export interface Contestant {
  /** What it goes by in the report: the mechanism, where it is one of ours or its counterpart in C. */
  readonly subject: string;
  /** Who it is. */
  readonly kind: Kind;
  /** The program. */
  readonly command: string;
  /** Its arguments. */
  readonly args: readonly string[];
  /** What it can do. */
  readonly cases: readonly Case[];
}

/** What a program answers. */
export interface Figures {
  /** The time that all of it took. */
  readonly nanoseconds: number;
  /** CPU time of both processes together, in microseconds a message; a round trip is two messages. */
  readonly cpu: number;
  /** Half of the round trips took less, in microseconds. */
  readonly p50?: number;
  /** 99 of 100 round trips took less, in microseconds. */
  readonly p99?: number;
}
