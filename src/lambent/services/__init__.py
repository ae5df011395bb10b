"""The AWS services, one package each; they meet at ARNs and on the roads, never by import."""
