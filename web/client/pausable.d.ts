/**
 * WebSocketStream (Chromium 124 and later) as a WebSocket that can pause: given
 * to Bridge, a slow reader slows the target down and is not closed. It has what
 * Bridge needs of a WebSocket and no more; ReferenceError where there is no
 * WebSocketStream.
 */
export class PausableSocket {
  constructor(url: string | URL, protocols?: string | string[]);
}
