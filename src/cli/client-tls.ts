import { X509Certificate } from 'node:crypto';
import { connect } from 'node:tls';
import { BridgeError } from '../base/errors.js';
import { readPem } from '../transport/tls.js';

/** TLS settings of a command. The certificate is always verified. */
export interface ClientTls {
  /** Trusted authority instead of the machine's own, in PEM. */
  readonly ca?: Buffer;
}

/**
 * Reads the TLS settings of `--tls` and `--tls-ca`.
 * @returns undefined when neither is given
 * @throws BridgeError TLS_INVALID, FILE_NOT_FOUND or FILE_UNREADABLE
 */
export function readClientTls(options: {
  readonly tls: boolean;
  readonly tlsCa?: string | undefined;
}): ClientTls | undefined {
  const { tls, tlsCa } = options;
  if (tlsCa === undefined) return tls ? {} : undefined;
  const ca = readPem(tlsCa);
  try {
    new X509Certificate(ca);
  } catch (error) {
    throw new BridgeError('TLS_INVALID', `${tlsCa} holds no certificate.`, {
      cause: error,
      advice: 'Give --tls-ca the certificate of the service, or of who signed it, in PEM; never its key.',
    });
  }
  return { ca };
}

/**
 * Returns the TLS error of a service, if a connection error is one.
 * @param at address of the service
 */
export function tlsFailure(error: NodeJS.ErrnoException, at: string): BridgeError | undefined {
  const { code = '', message } = error;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const names = (error as { cert?: { subjectaltname?: string } }).cert?.subjectaltname ?? 'none';
    return untrusted(`The certificate of what listens at ${at} is for other names: ${names}.`, error);
  }
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') {
    return untrusted(`The certificate of what listens at ${at} is out of date.`, error);
  }
  if (/SELF_SIGNED|UNABLE_TO_|CERT_/.test(code)) {
    return untrusted(
      `The certificate of what listens at ${at} is not one that is trusted: ${message}.`,
      error,
    );
  }
  if (code === 'EPROTO' || code.startsWith('ERR_SSL_')) {
    return new BridgeError(
      'TLS_MISMATCH',
      `What listens at ${at} does not speak TLS, and the command does.`,
      {
        cause: error,
        advice: 'Leave out --tls and --tls-ca, or check --port.',
      },
    );
  }
  return undefined;
}

/**
 * Checks by a handshake whether a server uses TLS; sends nothing after it. Used only for a helpful error message.
 */
export function speaksTls(host: string, port: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, rejectUnauthorized: false });
    const settle = (spoken: boolean): void => {
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      resolve(spoken);
    };
    const onAbort = (): void => settle(false);
    signal.addEventListener('abort', onAbort);
    socket.once('secureConnect', () => settle(true));
    socket.once('error', () => settle(false));
    if (signal.aborted) settle(false);
  });
}

function untrusted(message: string, cause: Error): BridgeError {
  return new BridgeError('TLS_UNTRUSTED', message, { cause });
}
