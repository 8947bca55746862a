#include <nghttp2/nghttp2.h>

// Two bounds that came with security fixes, and that distributions put into older versions: neither the version nor the
// header tells whether the library has them. A weak reference is null where it has not.

__attribute__((weak)) void nghttp2_option_set_max_continuations(nghttp2_option *option, size_t most);
__attribute__((weak)) void nghttp2_option_set_stream_reset_rate_limit(
    nghttp2_option *option, uint64_t burst, uint64_t rate);

static inline void weir_option_limit_continuations(nghttp2_option *option, size_t most) {
    if (nghttp2_option_set_max_continuations) nghttp2_option_set_max_continuations(option, most);
}
static inline void weir_option_limit_resets(nghttp2_option *option, uint64_t burst, uint64_t rate) {
    if (nghttp2_option_set_stream_reset_rate_limit) nghttp2_option_set_stream_reset_rate_limit(option, burst, rate);
}
