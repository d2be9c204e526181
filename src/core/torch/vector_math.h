// Element-wise functions that the compiler can vectorise: no calls and no floating-point branches
// (a comparison that may trap keeps GCC from it). Single precision: range reduction and minimax
// polynomials (coefficients of the Cephes library, S. Moshier, netlib.org/cephes), about one unit
// in the last place. Double precision, used to verify: the standard library.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

// One binary for every x86-64: the loader picks the version that fits the processor. "arch=" with
// the name of a processor would fit that model alone; the levels ask for what it can do.
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__gnu_linux__)
#if __GNUC__ >= 12
#define COMPERT_CLONES __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define COMPERT_CLONES __attribute__((target_clones("default", "avx2", "avx512f")))
#endif
#else
#define COMPERT_CLONES
#endif
#define COMPERT_INLINE static inline __attribute__((always_inline))

namespace compert {

COMPERT_INLINE int32_t bits_of(float x) {
  int32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}

COMPERT_INLINE float from_bits(int32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

/// exp(-|x|), not below the smallest normal number.
COMPERT_INLINE float exp_minus_abs(float x) {
  // Positive floats are ordered as the whole numbers with the same bits.
  const int32_t abs = bits_of(x) & 0x7fffffff, most = 0x42ae0000;  // of 87
  const float a = -from_bits(abs < most ? abs : most);
  const float magic = 12582912.f;  // 1.5 * 2^23: adding it rounds to whole numbers
  const float n = (a * 1.44269504088896341f + magic) - magic;
  const float r = (a - n * 0.693359375f) - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.f;
  return p * from_bits((static_cast<int32_t>(n) + 127) << 23);
}

/// x = mantissa * 2^exponent, with the mantissa between sqrt(1/2) and sqrt(2); x > 0, not subnormal.
/// The exponent has the width of the number, so that both fill the same vectors.
COMPERT_INLINE float mantissa_of(float x, int32_t& exponent) {
  const int32_t shifted = bits_of(x) - 0x3f3504f3;  // bits of sqrt(1/2)
  exponent = shifted >> 23;
  return from_bits((shifted & 0x007fffff) + 0x3f3504f3);
}

COMPERT_INLINE float log_of(float x) {  // x > 0, not subnormal
  int32_t exponent;
  const float f = mantissa_of(x, exponent) - 1.f, z = f * f, e = static_cast<float>(exponent);
  float p = 7.0376836292e-2f;
  p = p * f - 1.1514610310e-1f;
  p = p * f + 1.1676998740e-1f;
  p = p * f - 1.2420140846e-1f;
  p = p * f + 1.4249322787e-1f;
  p = p * f - 1.6668057665e-1f;
  p = p * f + 2.0000714765e-1f;
  p = p * f - 2.4999993993e-1f;
  p = p * f + 3.3333331174e-1f;
  const float tail = p * f * z + e * -2.12194440e-4f - 0.5f * z;
  return f + tail + e * 0.693359375f;
}

/// sqrt(x) for x >= 0, without the call that reports a negative x: Newton's iteration for 1/sqrt(x)
/// from a guess by the exponent, then one step for the root itself.
COMPERT_INLINE float sqrt_of(float x) {
  const float half = 0.5f * x;
  float y = from_bits(0x5f3759df - (bits_of(x) >> 1));
  y *= 1.5f - half * y * y;
  y *= 1.5f - half * y * y;
  y *= 1.5f - half * y * y;
  const float root = x * y;
  return root + 0.5f * y * (x - root * root);
}

/// a where the sign of x is +, b where it is -.
COMPERT_INLINE float by_sign(float x, float a, float b) {
  const int32_t minus = bits_of(x) >> 31;
  return from_bits((bits_of(a) & ~minus) | (bits_of(b) & minus));
}

/// `value` where x > 0 or `always` is -1 (else 0), 0 elsewhere.
COMPERT_INLINE float where_positive(float x, float value, int32_t always) {
  const auto b = static_cast<uint32_t>(bits_of(x));
  const auto not_positive = static_cast<int32_t>(b | (b - 1)) >> 31;
  return from_bits(bits_of(value) & (always | ~not_positive));
}

/// log(1 + t) for 0 <= t <= 1, within a unit of the last place and a half: t times a polynomial fitted to
/// log(1 + t) / t (weighted least squares until the largest relative error, 4e-9, is the smallest).
COMPERT_INLINE float log1p_of_share(float t) {
  float p = -3.2440233e-3f;
  p = p * t + 1.98514536e-2f;
  p = p * t + -5.69595173e-2f;
  p = p * t + 1.06036536e-1f;
  p = p * t + -1.53055921e-1f;
  p = p * t + 1.96759388e-1f;
  p = p * t + -2.49541342e-1f;
  p = p * t + 3.33299637e-1f;
  p = p * t + -4.99999017e-1f;
  return (p * t + 1.f) * t;
}

COMPERT_INLINE double log1p_of_share(double t) { return std::log1p(t); }
COMPERT_INLINE double mantissa_of(double x, int64_t& exponent) {
  int64_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  const int64_t shifted = bits - 0x3fe6a09e667f3bcd;  // bits of sqrt(1/2)
  exponent = shifted >> 52;
  bits = (shifted & 0x000fffffffffffff) + 0x3fe6a09e667f3bcd;
  double mantissa;
  std::memcpy(&mantissa, &bits, sizeof mantissa);
  return mantissa;
}
COMPERT_INLINE double exp_minus_abs(double x) { return std::exp(-std::abs(x)); }
COMPERT_INLINE double log_of(double x) { return std::log(x); }
COMPERT_INLINE double sqrt_of(double x) { return std::sqrt(x); }
COMPERT_INLINE double by_sign(double x, double a, double b) { return std::signbit(x) ? b : a; }
COMPERT_INLINE double where_positive(double x, double value, int32_t always) {
  return always != 0 || x > 0 ? value : 0;
}

/// log(1 + t) for t >= 0, given 1 / (1 + t), of which few digits count.
template <class T>
COMPERT_INLINE T log1p_of(T t, T inverse) {
  const T u = T(1) + t;
  return log_of(u) + (t - (u - T(1))) * inverse;
}
template <class T>
COMPERT_INLINE T log1p_of(T t) {
  return log1p_of(t, T(1) / (T(1) + t));
}

/// softplus(x) and its derivative, given exp(-|x|).
template <class T>
COMPERT_INLINE T softplus_of(T x, T exp_minus) {
  return T(0.5) * (x + std::abs(x)) + log1p_of_share(exp_minus);
}
template <class T>
COMPERT_INLINE T sigmoid_of(T x, T exp_minus) {
  return by_sign(x, T(1), exp_minus) / (T(1) + exp_minus);
}

}  // namespace compert
