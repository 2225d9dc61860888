import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** A key and a certificate that signs itself, in PEM files. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/**
 * Makes a self-signed certificate with openssl.
 * @param names what it is for, as openssl writes it: `DNS:localhost`, `IP:127.0.0.1`
 */
export function selfSigned(folder: string, names: readonly string[], name = 'service'): Certificate {
  const [cert, key] = [join(folder, `${name}.cert.pem`), join(folder, `${name}.key.pem`)];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  const files = ['-keyout', key, '-out', cert, '-subj', '/CN=bridge'];
  const { status, stderr } = spawnSync(
    'openssl',
    ['req', '-x509', ...curve, ...files, '-addext', `subjectAltName=${names.join(',')}`],
    { encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`openssl made no certificate: ${stderr}`);
  return { cert, key };
}
