/** How far a peer is trusted. */

/** What one peer may use; each has a default that suits a trusted program and survives a hostile one. */
export interface RpcLimits {
  /** The longest message in bytes that is read or sent; 16 MiB unless told. The channel may allow less. */
  maxMessageSize?: number | undefined;
  /** The deepest nesting of arrays and objects in a message that is sent, or read, before it is parsed; 64 unless told. */
  maxDepth?: number | undefined;
  /** The most requests in one batch; 1,000 unless told. More leave as several. */
  maxBatch?: number | undefined;
  /** The most methods that run at once for the other side; 1,024 unless told. */
  maxRunning?: number | undefined;
  /** The most requests that wait for their turn beyond that; 16,384 unless told. More are refused as busy. */
  maxWaiting?: number | undefined;
  /**
   * The most bytes of requests that run and wait, besides one; 64 MiB unless told, or four of the longest messages. More
   * are refused as busy. Over HTTP those of all requests count together.
   */
  maxRequestBytes?: number | undefined;
  /** The most calls of this side that wait for an answer; 65,536 unless told. More are a `LimitError`. */
  maxCalls?: number | undefined;
  /** The most bytes that wait to be sent; 16 MiB unless told. More calls are a `LimitError`. */
  maxQueuedBytes?: number | undefined;
  /** The values of a stream that may be under way unread; 64 unless told. */
  streamCredit?: number | undefined;
  /**
   * The bytes of a stream's messages that may be under way unread, besides one message; 1 MiB unless told. Of text, UTF-16
   * units are counted. An older peer knows nothing of it, and keeps to `streamCredit` alone.
   */
  streamBytes?: number | undefined;
  /** The most streams and the most callbacks that the other side may hold or have held here; 1,024 unless told. */
  maxReferences?: number | undefined;
  /** The most values that are gathered for a caller who cannot take a stream; 10,000 unless told. */
  maxGathered?: number | undefined;
}
