#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>

// What OpenSSL offers as macros of more than a number, which Swift does not import.

static inline long weir_ctx_set_versions(SSL_CTX *ctx, int least, int most) {
    return SSL_CTX_set_min_proto_version(ctx, least) && SSL_CTX_set_max_proto_version(ctx, most);
}
static inline long weir_ctx_set_groups(SSL_CTX *ctx, const char *list) { return SSL_CTX_set1_groups_list(ctx, list); }
static inline void weir_ctx_set_mode(SSL_CTX *ctx, long mode) { SSL_CTX_set_mode(ctx, mode); }
static inline void weir_ctx_set_session_cache(SSL_CTX *ctx, long mode) { SSL_CTX_set_session_cache_mode(ctx, mode); }
static inline void weir_ctx_no_renegotiation(SSL_CTX *ctx) {
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
}
static inline void weir_ctx_prefer_own_ciphers(SSL_CTX *ctx) {
    SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
}
static inline long weir_set_server_name(SSL *ssl, const char *name) { return SSL_set_tlsext_host_name(ssl, name); }
static inline void weir_set_retry_read(BIO *bio) { BIO_set_retry_read(bio); }
// A new key on P-256. Made the old way: of a key that EVP_EC_gen made, X509_set_pubkey encodes and decodes the public half
// each time, which takes 170 us where the signature of a certificate takes 25.
static inline EVP_PKEY *weir_make_key(void) {
    EC_KEY *ec = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
    EVP_PKEY *key = EVP_PKEY_new();
    if (ec && key && EC_KEY_generate_key(ec) && EVP_PKEY_assign(key, EVP_PKEY_EC, ec)) return key;
    EC_KEY_free(ec);
    EVP_PKEY_free(key);
    return NULL;
}
static inline int weir_names_push(GENERAL_NAMES *names, GENERAL_NAME *name) { return sk_GENERAL_NAME_push(names, name); }
static inline STACK_OF(X509) *weir_chain_new(void) { return sk_X509_new_null(); }
static inline int weir_chain_push(STACK_OF(X509) *chain, X509 *one) { return sk_X509_push(chain, one); }
static inline int weir_chain_count(const STACK_OF(X509) *chain) { return sk_X509_num(chain); }
static inline X509 *weir_chain_at(const STACK_OF(X509) *chain, int index) { return sk_X509_value(chain, index); }
static inline void weir_chain_free(STACK_OF(X509) *chain) { sk_X509_pop_free(chain, X509_free); }
// RFC 4514 form, with names beyond ASCII as they are.
static inline int weir_print_name(BIO *bio, const X509_NAME *name) {
    return X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
}
static inline void weir_ctx_ask_status(SSL_CTX *ctx, int (*judge)(SSL *, void *)) {
    SSL_CTX_set_tlsext_status_type(ctx, TLSEXT_STATUSTYPE_ocsp);
    SSL_CTX_set_tlsext_status_cb(ctx, judge);
}
static inline long weir_get_status(SSL *ssl, const unsigned char **start) {
    return SSL_get_tlsext_status_ocsp_resp(ssl, start);
}
static inline int weir_must_staple(const X509 *certificate) {
    TLS_FEATURE *features = X509_get_ext_d2i(certificate, NID_tlsfeature, NULL, NULL);
    int found = 0;
    for (int i = 0; i < sk_ASN1_INTEGER_num(features); i++)
        found |= ASN1_INTEGER_get(sk_ASN1_INTEGER_value(features, i)) == TLSEXT_TYPE_status_request;
    TLS_FEATURE_free(features);
    return found;
}
// Whether an answer is about this certificate, by whatever digest it names it.
static inline int weir_status_is_about(OCSP_SINGLERESP *one, const X509 *leaf, const X509 *issuer) {
    const OCSP_CERTID *named = OCSP_SINGLERESP_get0_id(one);
    ASN1_OBJECT *digest = NULL;
    if (!OCSP_id_get0_info(NULL, &digest, NULL, NULL, (OCSP_CERTID *)named)) return 0;
    const EVP_MD *kind = EVP_get_digestbyobj(digest);
    OCSP_CERTID *own = kind ? OCSP_cert_to_id(kind, leaf, issuer) : NULL;
    int same = own && OCSP_id_cmp(own, named) == 0;
    OCSP_CERTID_free(own);
    return same;
}

// How session tickets are sealed (RFC 5077 section 4): AES-256 in CBC, and HMAC-SHA-256 over it.
struct weir_ticket_key {
    unsigned char name[16], cipher[32], digest[32];
};
static inline int weir_ticket_digest(struct weir_ticket_key *key, EVP_MAC_CTX *digest) {
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->digest, sizeof key->digest),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0), OSSL_PARAM_construct_end()};
    return EVP_MAC_CTX_set_params(digest, params);
}
static inline int weir_ticket_seal(struct weir_ticket_key *key, unsigned char *name, unsigned char *vector,
                                   EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *digest) {
    memcpy(name, key->name, sizeof key->name);
    return RAND_bytes(vector, 16) == 1 && EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, vector) &&
                   weir_ticket_digest(key, digest) ? 1 : -1;
}
static inline int weir_ticket_open(struct weir_ticket_key *key, const unsigned char *name, const unsigned char *vector,
                                   EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *digest) {
    return memcmp(name, key->name, sizeof key->name) == 0 && weir_ticket_digest(key, digest) &&
           EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, vector);
}
