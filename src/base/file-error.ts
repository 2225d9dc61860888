import { BridgeError } from './errors.js';

/**
 * Returns the error for a failed read, with a message that names the file: FILE_NOT_FOUND or FILE_UNREADABLE.
 * @param error the error of Node; a BridgeError is returned as it is
 * @param kind expected kind of file, for the message
 */
export function fileError(error: unknown, path: string, kind = 'file'): BridgeError {
  if (error instanceof BridgeError) return error;
  const code = (error as NodeJS.ErrnoException).code;
  const cause = { cause: error };
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return new BridgeError('FILE_NOT_FOUND', `There is no file '${path}'.`, cause);
    case 'EISDIR':
      return new BridgeError('FILE_UNREADABLE', `'${path}' is a folder, not a ${kind}.`, cause);
    case 'EACCES':
    case 'EPERM':
      return new BridgeError('FILE_UNREADABLE', `'${path}' may not be read: permission is missing.`, cause);
    default: {
      const reason = error instanceof Error ? error.message : String(error);
      return new BridgeError('FILE_UNREADABLE', `'${path}' could not be read: ${reason}.`, cause);
    }
  }
}
