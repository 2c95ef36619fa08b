# Makes metafor_values.json from network_effects.csv: random-effects models of metafor 3.8-1.
# From this folder:  Rscript metafor_values.R
suppressMessages({library(metafor); library(jsonlite)})

if (!file.exists("network_effects.csv")) {
  # A made example: 18 networks, effects around 0.12 with a spread of 0.08, a condition that matters.
  set.seed(9021)
  k <- 18
  x <- round(rnorm(k), 3)
  se <- round(runif(k, 0.03, 0.11), 4)
  y <- round(0.12 + 0.05 * x + rnorm(k) * 0.06 + rnorm(k) * se, 4)
  write.csv(data.frame(estimate = y, se, condition = x), "network_effects.csv", row.names = FALSE, quote = FALSE)
}
d <- read.csv("network_effects.csv")
tight <- list(threshold = 1e-12, maxiter = 1000)

told <- function(fit) {
  q <- confint(fit, control = list(tol = 1e-12))$random
  list(beta = as.numeric(fit$beta), se = fit$se, ci_low = fit$ci.lb, ci_high = fit$ci.ub, p = fit$pval, tau2 = fit$tau2,
       tau2_low = q["tau^2", "ci.lb"], tau2_high = q["tau^2", "ci.ub"], q = fit$QE, q_p = fit$QEp, i2 = fit$I2 / 100)
}
mean_of <- function(d, method) {
  fit <- rma(estimate, sei = se, data = d, method = method, test = "knha", control = tight)
  b <- blup(fit)
  pr <- predict(fit); ht <- predict(fit, pi.type = "riley")
  c(told(fit), list(pi_low = pr$pi.lb, pi_high = pr$pi.ub, riley_low = ht$pi.lb, riley_high = ht$pi.ub,
                    blup = b$pred, blup_se = b$se, blup_low = b$pi.lb, blup_high = b$pi.ub))
}
# Estimates that share comparison schools: correlations of 0.3, 0.36, 0.216, 0.13, ... by distance in the table.
V <- outer(d$se, d$se) * 0.6^abs(outer(1:18, 1:18, "-")); V[abs(outer(1:18, 1:18, "-")) == 1] <- V[abs(outer(1:18, 1:18, "-")) == 1] / 2
mv <- rma.mv(estimate, V, random = ~ 1 | id, data = transform(d, id = 1:18), method = "REML", test = "t",
             control = list(optimizer = "optim", optmethod = "BFGS", reltol = 1e-15))
mvx <- rma.mv(estimate, V, mods = ~ condition, random = ~ 1 | id, data = transform(d, id = 1:18), method = "REML",
              control = list(optimizer = "optim", optmethod = "BFGS", reltol = 1e-15))
cimv <- confint(mv, control = list(tol = 1e-10))$random
V1 <- d; V1$se <- d$se / 2
values <- list(
  version = as.character(packageVersion("metafor")),
  reml = mean_of(d, "REML"), pm = mean_of(d, "PM"), eight = mean_of(d[1:8, ], "REML"), sharp = mean_of(V1, "REML"),
  slope = told(rma(estimate, sei = se, mods = ~ condition, data = d, method = "REML", test = "knha", control = tight)),
  slope_pm = told(rma(estimate, sei = se, mods = ~ condition, data = d, method = "PM", test = "knha", control = tight)),
  covariance = V,
  correlated = list(beta = as.numeric(mv$beta), se = mv$se, tau2 = mv$sigma2, q = mv$QE,
                    blup = as.numeric(mv$beta) + as.numeric(ranef(mv)$id$intrcpt), ranef_se = ranef(mv)$id$se),
  correlated_slope = list(beta = as.numeric(mvx$beta), se = mvx$se, tau2 = mvx$sigma2)
)
write(toJSON(values, digits = 14, auto_unbox = TRUE, pretty = TRUE), "metafor_values.json")
