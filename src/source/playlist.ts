import { mediaType } from '../audio/content-type.js';

/** A longer list is none of one stream. */
export const MAX_PLAYLIST_BYTES = 65_536;

const TYPES = new Set([
  'audio/x-mpegurl',
  'audio/mpegurl',
  'application/x-mpegurl',
  'application/mpegurl',
  'application/vnd.apple.mpegurl',
  'audio/x-scpls',
  'application/pls+xml',
]);

/**
 * Whether an answer is a playlist (M3U, PLS), which names sounds and is none.
 * @param head its first bytes
 */
export function isPlaylist(contentType: string, head: Uint8Array): boolean {
  const text = Buffer.from(head)
    .toString('utf8')
    .replace(/^\uFEFF/, '')
    .trimStart();
  return TYPES.has(mediaType(contentType)) || /^(?:#EXTM3U|\[playlist\])/i.test(text);
}

/**
 * Reads a playlist.
 * @returns the addresses or paths that it names, or `hls` for one whose entries are pieces of a stream
 */
export function readPlaylist(bytes: Uint8Array): string[] | 'hls' {
  const lines = Buffer.from(bytes)
    .toString('utf8')
    .replace(/^\uFEFF/, '')
    .split(/[\r\n]+/)
    .map((line) => line.trim());
  if (lines.some((line) => line.startsWith('#EXT-X-'))) return 'hls';
  if (lines.some((line) => /^\[playlist\]$/i.test(line)))
    return lines.flatMap((line) => /^File\d+\s*=\s*(.+)$/i.exec(line)?.[1] ?? []);
  return lines.filter((line) => line !== '' && !line.startsWith('#'));
}
