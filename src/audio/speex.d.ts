declare module '@echogarden/speex-resampler-wasm' {
  export default function load(options?: { printErr?: (line: string) => void }): Promise<unknown>;
}

declare module '@echogarden/speex-resampler-wasm/simd' {
  export default function load(options?: { printErr?: (line: string) => void }): Promise<unknown>;
}
