/* What plugins of peal include. */
#define PEAL_ABI 1

/* In each plugin. */
extern const int peal_abi;
const char *peal_says(void);
