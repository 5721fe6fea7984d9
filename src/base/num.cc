/* num.cc -- the one C++ file of base: the standard library's exact number routines. */
#include "base/num.h"

#include <charconv>

extern "C" size_t num_put_f64(char *out, double v)
{
	return static_cast<size_t>(std::to_chars(out, out + NUM_TEXT_MAX, v).ptr - out);
}

extern "C" size_t num_put_f32(char *out, float v)
{
	return static_cast<size_t>(std::to_chars(out, out + NUM_TEXT_MAX, v).ptr - out);
}

extern "C" size_t num_put_i64(char *out, int64_t v)
{
	return static_cast<size_t>(std::to_chars(out, out + NUM_TEXT_MAX, v).ptr - out);
}

extern "C" size_t num_put_u64(char *out, uint64_t v)
{
	return static_cast<size_t>(std::to_chars(out, out + NUM_TEXT_MAX, v).ptr - out);
}

/* Up to 15 digits and a power of ten up to 22 are exact in a double, so one multiplication or division rounds
 * correctly (Clinger 1990); everything else goes to from_chars. */
static size_t fast_path(const char *at, const char *end, double *out)
{
	static const double power[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
					1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
	const char *p = at;
	uint64_t m = 0;
	int digits = 0, scale = 0;
	bool minus = p < end && *p == '-';

	p += minus ? 1 : 0;
	const char *first = p;
	for (; p < end && *p >= '0' && *p <= '9'; p++, digits++)
		m = m * 10 + static_cast<uint64_t>(*p - '0');
	if (p == first || digits > 15)
		return 0;
	if (p < end && *p == '.') {
		const char *dot = p++;
		for (; p < end && *p >= '0' && *p <= '9'; p++, digits++)
			m = m * 10 + static_cast<uint64_t>(*p - '0');
		scale = static_cast<int>(p - dot - 1);
		if (scale == 0 || digits > 15)
			return 0;
	}
	if (p < end && (*p == 'e' || *p == 'E'))
		return 0;
	double v = static_cast<double>(m) / power[scale];
	*out = minus ? -v : v;
	return static_cast<size_t>(p - at);
}

extern "C" size_t num_get_f64(const char *at, const char *end, double *out)
{
	size_t n = fast_path(at, end, out);
	if (n > 0)
		return n;
	double v;
	auto r = std::from_chars(at, end, v);
	if (r.ec == std::errc::result_out_of_range) {
		/* Underflow reads as 0, overflow is refused. A mantissa of digits with a negative exponent underflows. */
		const char *p = at;
		while (p < r.ptr && *p != 'e' && *p != 'E')
			p++;
		bool small = p + 1 < r.ptr && p[1] == '-';
		for (const char *q = at; !small && p == r.ptr && q < p; q++)
			small = *q == '0' && (q + 1 == p || q[1] == '.');   /* 0.000…1 written out */
		if (!small)
			return 0;
		*out = *at == '-' ? -0.0 : 0.0;
		return static_cast<size_t>(r.ptr - at);
	}
	if (r.ec != std::errc())
		return 0;
	/* from_chars also reads "inf" and "nan": not numbers of ours. */
	char c = *at == '-' && at + 1 < end ? at[1] : *at;
	if (c < '0' || c > '9')
		return 0;
	*out = v;
	return static_cast<size_t>(r.ptr - at);
}
