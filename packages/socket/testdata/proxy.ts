/** A network that behaves badly, from a seed: between a client and a server on this machine. */

import { createSocket, type Socket } from "node:dgram";

/** Numbers that look random and are the same for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A seed for this run, which a failure has to tell. */
export function newSeed(): number {
  return Number(Deno.env.get("IPC_TEST_SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0]);
}

/** How a {@linkcode TcpProxy} behaves. */
export interface TcpProxyOptions {
  seed: number;
  /** The most milliseconds that a piece is held back. */
  delay?: number;
  /** Bytes after which each connection is cut, in either direction; never unless told. */
  cutAfter?: (random: () => number) => number;
}

/** Passes TCP on in other pieces than it came, late, and perhaps not to its end. */
export class TcpProxy implements AsyncDisposable {
  readonly #listener: Deno.TcpListener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #target: Deno.ConnectOptions;
  readonly #options: TcpProxyOptions;
  readonly #random: () => number;
  readonly #connections = new Set<Deno.Conn>();
  readonly #running: Promise<void>;
  readonly #pumps: Promise<void>[] = [];
  /** Connections that were cut so far. */
  cuts = 0;

  constructor(target: string, options: TcpProxyOptions) {
    const [, host = "", port] = /^tcp:(.*):(\d+)$/.exec(target)!;
    this.#target = { hostname: host, port: Number(port) };
    this.#options = options;
    this.#random = seeded(options.seed);
    this.#running = this.#accept();
  }

  /** Where clients connect. */
  get address(): string {
    return `127.0.0.1:${this.#listener.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    close(this.#listener);
    for (const connection of this.#connections) close(connection);
    await this.#running;
    await Promise.all(this.#pumps);
  }

  async #accept(): Promise<void> {
    try {
      for await (const client of this.#listener) {
        const server = await Deno.connect(this.#target);
        this.#connections.add(client).add(server);
        const budget = { left: this.#options.cutAfter?.(this.#random) ?? Infinity };
        this.#pumps.push(this.#pump(client, server, budget), this.#pump(server, client, budget));
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
    }
  }

  async #pump(from: Deno.Conn, to: Deno.Conn, budget: { left: number }): Promise<void> {
    const random = this.#random;
    const buffer = new Uint8Array(16 * 1024);
    try {
      for (;;) {
        const length = await from.read(buffer.subarray(0, 1 + Math.floor(random() ** 3 * buffer.length)));
        if (length === null) break;
        const bytes = buffer.slice(0, Math.min(length, budget.left));
        budget.left -= length;
        for (let at = 0; at < bytes.length;) {
          if (random() < 0.3) await sleep(random() * (this.#options.delay ?? 2));
          const end = at + 1 + Math.floor(random() ** 2 * (bytes.length - at));
          for (; at < end && at < bytes.length;) at += await to.write(bytes.subarray(at, end));
        }
        if (budget.left > 0) continue;
        this.cuts++;
        close(from);
        close(to);
        return;
      }
      await to.closeWrite();
    } catch {
      // The other direction was cut, or one side has gone: so has this.
      close(from);
      close(to);
    }
  }
}

/** How a {@linkcode UdpProxy} behaves: parts of all datagrams, 0 to 1. */
export interface UdpProxyOptions {
  seed: number;
  drop: number;
  double: number;
  reorder: number;
}

/**
 * Passes datagrams on to one address, and back to whoever has sent there last: but not all, some twice, and some later.
 */
export class UdpProxy implements AsyncDisposable {
  readonly #socket: Socket = createSocket("udp4");
  readonly #options: UdpProxyOptions;
  readonly #random: () => number;
  readonly #held: { datagram: Uint8Array; to: number }[] = [];
  #client = 0;
  readonly counts = { passed: 0, dropped: 0, doubled: 0, reordered: 0 };

  private constructor(options: UdpProxyOptions) {
    this.#options = options;
    this.#random = seeded(options.seed);
  }

  /** A proxy in front of a port of this machine. */
  static async start(port: number, options: UdpProxyOptions): Promise<UdpProxy> {
    const proxy = new UdpProxy(options);
    proxy.#socket.on("message", (datagram: Uint8Array, from) => {
      if (from.port !== port) proxy.#client = from.port;
      proxy.#decide(datagram, from.port === port ? proxy.#client : port);
    });
    await new Promise<void>((resolve) => proxy.#socket.bind(0, "127.0.0.1", resolve));
    return proxy;
  }

  get address(): string {
    return `127.0.0.1:${this.#socket.address().port}`;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return new Promise((resolve) => this.#socket.close(() => resolve()));
  }

  #decide(datagram: Uint8Array, to: number): void {
    const { drop, double, reorder } = this.#options;
    const chance = this.#random();
    if (chance < drop) this.counts.dropped++;
    else if (chance < drop + double) {
      this.counts.doubled++;
      this.#pass(datagram, to);
      this.#pass(datagram, to);
    } else if (chance < drop + double + reorder) {
      this.counts.reordered++;
      this.#held.push({ datagram, to });
      return;
    } else this.#pass(datagram, to);
    for (const late of this.#held.splice(0)) this.#pass(late.datagram, late.to);
  }

  #pass(datagram: Uint8Array, to: number): void {
    this.counts.passed++;
    this.#socket.send(datagram, to, "127.0.0.1");
  }
}

function close(connection: { close(): void }): void {
  try {
    connection.close();
  } catch { /* It was closed already. */ }
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
