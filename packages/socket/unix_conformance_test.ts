import { channelConformance, leakCheck } from "@ipc/core/testing";
import { openDatagram, openDatagramPair, openSeqpacket, openStream } from "./testdata/unix_pairs.ts";

leakCheck();

const maxQueuedBytes = 1024 * 1024;
const module = new URL("./testdata/unix_pairs.ts", import.meta.url);

channelConformance("unix", openStream, {
  maxQueuedBytes,
  duplex: true,
  childScript: { module, export: "openStream" },
});

channelConformance("unix-seqpacket", openSeqpacket, {
  maxQueuedBytes,
  duplex: true,
  truncatable: false,
  childScript: { module, export: "openSeqpacket" },
});

// Nobody learns that the other side of a datagram socket has gone.
const datagrams = { maxQueuedBytes, truncatable: false, endDetectable: false };

channelConformance("unix-dgram", openDatagram, {
  ...datagrams,
  childScript: { module, export: "openDatagram" },
});

channelConformance("pair of unix datagram sockets", openDatagramPair, { ...datagrams, duplex: true });
