/** The mechanisms that have addresses, and how these look: pure data, so that reading one takes no libc. */

import { parseKey } from "@ipc/core";
import type { Direction } from "./connect.ts";
import type { MakeOptions } from "./make.ts";

/** One mechanism, as its addresses show it; what they do is in its driver. */
export interface Mechanism {
  /** What its addresses begin with. */
  readonly scheme: string;
  /** An address as help shows it. */
  readonly form: string;
  /** What it is, in a few words. */
  readonly summary: string;
  /** The directions that one end can have; none: it carries no messages. */
  readonly directions: readonly Direction[];
  /** Why it has no others. */
  readonly because?: string;
  /** Whether an end reads ahead, so that what it has read and not given is lost when it closes. */
  readonly readsAhead: boolean;
  /** Whether messages stay in it when all ends are closed. */
  readonly keepsMessages?: boolean;
  /** Whether its objects lie in folders, and are not all in one place. */
  readonly inFolders?: boolean;
  /** Whether the object is a URL, with question marks and percent signs; parameters then follow a `#`. */
  readonly isUrl?: boolean;
  /** The options that its objects are created with. */
  readonly makes: readonly (keyof MakeOptions)[];
  /** The parameters behind the question mark, or the `#`. */
  readonly params: Readonly<Record<string, Param>>;
  /** Says what is wrong with the object's name, given its parameters; `undefined`: nothing. */
  check(target: string, params: Readonly<Record<string, string>>): string | undefined;
}

/** A parameter of an address. */
export interface Param {
  /** What it can be, as help shows it. */
  readonly values: string;
  /** The same, as it follows "must be". */
  readonly expected: string;
  /** Whether it can be this. */
  accepts(value: string): boolean;
}

/** A parameter that is one of a few words. */
function oneOf(...words: string[]): Param {
  const values = words.join("|");
  return { values, expected: `one of ${values}`, accepts: (value) => words.includes(value) };
}

/** A user's number. */
const user: Param = {
  values: "UID",
  expected: "a user's number",
  accepts: (value) => /^\d{1,10}$/.test(value),
};

/** A parameter that is a whole number. */
function integer(values: string, expected: string, least: number, most = Number.MAX_SAFE_INTEGER): Param {
  return {
    values,
    expected,
    accepts: (value) => /^\d{1,16}$/.test(value) && Number(value) >= least && Number(value) <= most,
  };
}

/** Says what is wrong with an address of the network. */
function checkHost(form: string): (target: string) => string | undefined {
  return (target) => {
    const found = /^(?:\[[^\]]+\]|[^:\[\]]*):(\d{1,5})$/.exec(target);
    if (found === null) return `it is a host and a port, such as ${form}`;
    const port = Number(found[1]);
    return port <= 65_535 ? undefined : `a port is 1 to 65535, not ${port}; 0 listens at one that is free`;
  };
}

/** The most bytes of a unix socket's path, and of an abstract name: sun_path without its last. */
const LONGEST_SOCKET = 107;

/** Says what is wrong with the name of a unix socket. */
function checkSocket(path: string): string | undefined {
  if (path === "") return "it has no path";
  if (path === "@") return "a name follows the @";
  const { length } = new TextEncoder().encode(path.replace(/^@/, ""));
  return length > LONGEST_SOCKET
    ? `its path has ${length} bytes, the kernel takes ${LONGEST_SOCKET}; a relative one may be shorter`
    : undefined;
}

/** Says what is wrong with the address of a WebSocket. */
function checkUrl(target: string): string | undefined {
  return /^\/\/[^/?#]/.test(target) && URL.canParse(`ws:${target}`)
    ? undefined
    : "it is a URL, such as ws://localhost:8000/path";
}

const framing = oneOf("length", "lines", "nul", "content-length", "raw");

/** Files with certificates and keys, in PEM. */
const file: Param = { values: "FILE", expected: "the path of a file", accepts: (value) => value !== "" };
const pem = { cert: file, key: file, ca: file } as const;

/** Whose objects are trusted besides one's own. */
const owner: Param = {
  values: "UID|any",
  expected: "a user's number, or any",
  accepts: (value) => value === "any" || user.accepts(value),
};

/** Who may be at the other end of a unix socket besides this user and root. */
const allowUser = { "allow-user": owner } as const;

/** The parameters by which System V objects are found, and trusted. */
const systemV = {
  proj: {
    values: "N|LETTER",
    expected: "a number from 1 to 255, or a letter",
    accepts: (value) => /^[a-z]$/i.test(value) || integer("", "", 1, 255).accepts(value),
  },
  id: integer("ID", "an id as ls shows it", 0, 2 ** 31 - 1),
  "allow-owner": owner,
} as const satisfies Record<string, Param>;

/** Says what is wrong with a System V object: it is found by a key, by a path and a project, or by an id. */
function checkSystemV(target: string, { proj, id }: Readonly<Record<string, string>>): string | undefined {
  if (id !== undefined) return target === "" && proj === undefined ? undefined : "?id= stands for itself";
  if (target.includes("/")) {
    return proj === undefined ? "a path needs ?proj=, as the other program gives it to ftok" : undefined;
  }
  if (proj !== undefined) return "?proj= goes with a path";
  try {
    parseKey(target);
    return undefined;
  } catch {
    return "a key is decimal, 0x hexadecimal or 0 octal, and a path begins with / or ./";
  }
}

/** The type of a message. */
const messageType = integer("TYPE", "a type, from 1", 1);

/** Says what is wrong with the name of a POSIX object, which has so many bytes behind the slash at most. */
function checkNamed(form: string, longest: number): (name: string) => string | undefined {
  return (name) => {
    const rest = name.slice(1);
    const { length } = new TextEncoder().encode(rest);
    const good = name.startsWith("/") && !rest.includes("/") && !["", ".", ".."].includes(rest);
    if (!good) return `a name begins with its only slash: ${form}`;
    return length > longest
      ? `its name has ${length} bytes behind the slash, the limit is ${longest}`
      : undefined;
  };
}

/** Whether a text is a moment, as ISO 8601 writes it. */
function isTime(text: string): boolean {
  return /^\d{4}-\d{2}-\d{2}(T|$)/.test(text) && !Number.isNaN(Date.parse(text));
}

const NO_MEMORY_MESSAGES = "memory carries no messages: it is read and written";
const NO_SEMAPHORE_MESSAGES = "semaphores carry no messages: they are acquired and released";

/** Every mechanism, in the order of the help. */
export const mechanisms: readonly Mechanism[] = [
  {
    scheme: "fifo",
    form: "fifo:/path",
    summary: "named pipe",
    directions: ["send", "receive"],
    because: "a FIFO goes one way",
    readsAhead: true,
    inFolders: true,
    makes: ["mode"],
    params: { framing, "allow-writers": oneOf("group", "all"), "allow-owner": user },
    check: (path) => path === "" ? "it has no path" : undefined,
  },
  {
    scheme: "file",
    form: "file:/path",
    summary: "durable log in files; ?framing=lines follows a text file",
    directions: ["send", "receive"],
    because: "who sends and receives gets its own messages back",
    readsAhead: false,
    keepsMessages: true,
    inFolders: true,
    makes: ["mode", "fsync", "segmentBytes", "retainBytes", "retainAge", "maxMessageSize"],
    params: {
      from: {
        values: "start|end|N|TIME",
        expected: "start, end, a number from 1, or a time like 2026-01-31T12:00Z",
        accepts: (value) =>
          ["start", "end"].includes(value) || integer("", "", 1).accepts(value) || isTime(value),
      },
      consumer: {
        values: "NAME",
        expected: 'letters, digits, ".", "_" and "-", the first no dot',
        accepts: (value) => /^[\w-][\w.-]{0,254}$/.test(value),
      },
      framing: oneOf("lines", "nul", "content-length", "raw"),
      "allow-owner": owner,
    },
    check: (path, { framing, from, consumer }) => {
      if (path === "") return "it has no path";
      if (framing === undefined) return undefined;
      if (consumer !== undefined) return "?consumer= is for a log, and ?framing= for a text file";
      return [undefined, "start", "end"].includes(from)
        ? undefined
        : "a text file is followed from its start or its end";
    },
  },
  {
    scheme: "unix",
    form: "unix:/path",
    summary: "unix socket, a stream of bytes; unix:@name has no file",
    directions: ["both", "send", "receive"],
    readsAhead: true,
    makes: [],
    params: { framing, ...allowUser },
    check: checkSocket,
  },
  {
    scheme: "unix-seqpacket",
    form: "unix-seqpacket:/path",
    summary: "unix socket, whole messages",
    directions: ["both", "send", "receive"],
    readsAhead: true,
    makes: [],
    params: allowUser,
    check: checkSocket,
  },
  {
    scheme: "unix-dgram",
    form: "unix-dgram:/path",
    summary: "unix socket, datagrams",
    directions: ["both", "send", "receive"],
    readsAhead: true,
    makes: [],
    params: allowUser,
    check: checkSocket,
  },
  {
    scheme: "tcp",
    form: "tcp:host:port",
    summary: "TCP connection; tcp::port listens everywhere",
    directions: ["both", "send", "receive"],
    readsAhead: true,
    makes: [],
    params: { framing },
    check: checkHost("tcp:localhost:8000"),
  },
  {
    scheme: "tls",
    form: "tls:host:port",
    summary: "TCP connection, encrypted; who listens has ?cert= and key=",
    directions: ["both", "send", "receive"],
    readsAhead: true,
    makes: [],
    params: { framing, ...pem },
    check: checkHost("tls:localhost:8000"),
  },
  {
    scheme: "udp",
    form: "udp:host:port",
    summary: "UDP datagrams, which may be lost",
    directions: ["both", "send", "receive"],
    readsAhead: true,
    makes: [],
    params: {},
    check: checkHost("udp:localhost:8000"),
  },
  {
    scheme: "ws",
    form: "ws://host:port/path",
    summary: "WebSocket",
    directions: ["both", "send", "receive"],
    readsAhead: true,
    isUrl: true,
    makes: [],
    params: {},
    check: checkUrl,
  },
  {
    scheme: "wss",
    form: "wss://host/path",
    summary: "WebSocket, encrypted; parameters stand behind a #",
    directions: ["both", "send", "receive"],
    readsAhead: true,
    isUrl: true,
    makes: [],
    params: pem,
    check: checkUrl,
  },
  {
    scheme: "sysv-msg",
    form: "sysv-msg:KEY",
    summary: "System V message queue",
    directions: ["send", "receive", "both"],
    readsAhead: false,
    keepsMessages: true,
    makes: ["mode", "maxBytes"],
    params: {
      ...systemV,
      send: messageType,
      receive: messageType,
    },
    check: checkSystemV,
  },
  {
    scheme: "sysv-sem",
    form: "sysv-sem:KEY",
    summary: "System V semaphore set",
    directions: [],
    because: NO_SEMAPHORE_MESSAGES,
    readsAhead: false,
    makes: ["mode", "size", "initial"],
    params: { ...systemV, index: integer("N", "a member of the set, from 0", 0, 65_535) },
    check: checkSystemV,
  },
  {
    scheme: "sysv-shm",
    form: "sysv-shm:KEY",
    summary: "System V shared memory",
    directions: [],
    because: NO_MEMORY_MESSAGES,
    readsAhead: false,
    makes: ["mode", "size"],
    params: systemV,
    check: checkSystemV,
  },
  {
    scheme: "mq",
    form: "mq:/name",
    summary: "POSIX message queue",
    directions: ["send", "receive"],
    because: "whoever sends and receives gets its own messages back",
    readsAhead: false,
    keepsMessages: true,
    makes: ["mode", "maxMessages", "maxMessageSize"],
    params: { priority: integer("N", "a priority, from 0 to 32767", 0, 32_767), "allow-owner": owner },
    check: checkNamed("mq:/jobs", 255),
  },
  {
    scheme: "sem",
    form: "sem:/name",
    summary: "POSIX semaphore",
    directions: [],
    because: NO_SEMAPHORE_MESSAGES,
    readsAhead: false,
    makes: ["mode", "initial"],
    params: { "allow-owner": owner },
    check: checkNamed("sem:/busy", 251),
  },
  {
    scheme: "shm",
    form: "shm:/name",
    summary: "POSIX shared memory",
    directions: [],
    because: NO_MEMORY_MESSAGES,
    readsAhead: false,
    makes: ["mode", "size"],
    params: { "allow-owner": owner },
    check: checkNamed("shm:/table", 255),
  },
  {
    scheme: "mmap",
    form: "mmap:/path",
    summary: "file mapped into memory",
    directions: [],
    because: NO_MEMORY_MESSAGES,
    readsAhead: false,
    inFolders: true,
    makes: ["mode", "size"],
    params: {},
    check: (path) => path === "" ? "it has no path" : undefined,
  },
  {
    scheme: "stdio",
    form: "stdio:",
    summary: "standard input and output, one message a line",
    directions: ["both", "send", "receive"],
    readsAhead: true,
    makes: [],
    params: { framing },
    check: (rest) => rest === "" ? undefined : 'only parameters follow "stdio:"',
  },
];

/** The mechanism of a scheme. */
export function findMechanism(scheme: string): Mechanism | undefined {
  return mechanisms.find((mechanism) => mechanism.scheme === scheme);
}
